-- Which number has a lock that is taken now? One more than when it was taken last. (Postgres)
insert into fences (name, number) values (%(name)s, 1)
on conflict (name) do update set number = fences.number + 1
returning number
