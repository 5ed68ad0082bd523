-- Remove the reservations of workers whose session has ended. (Postgres)
delete from allowances a
where not exists (
  select 1 from pg_locks l
  where l.locktype = 'advisory' and l.granted and (l.classid::bigint << 32) | l.objid::bigint = a.holder
)
