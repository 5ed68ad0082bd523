-- The home is marked, unless it was begun before the mark was known.
insert into settings_fixed
select $name, '1'
where not exists (select 1 from landed_messages)
  and not exists (select 1 from settings_fixed where name = $name)
