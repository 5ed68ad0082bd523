-- Who holds an advisory lock of a 64-bit key, and since when is the holder connected? (Postgres)
select a.application_name as holder, l.pid, to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS') as since
from pg_locks l
join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.granted
  and (l.classid::bigint << 32) | l.objid::bigint = %(key)s
