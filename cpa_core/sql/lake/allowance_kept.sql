-- A worker reserves so many US dollars now. (Postgres)
insert into allowances (holder, dollars) values (%(holder)s, %(dollars)s)
on conflict (holder) do update set dollars = excluded.dollars
