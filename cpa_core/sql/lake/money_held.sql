-- What is spent since a moment, with the batches whose answers are to come, and what do other living workers reserve?
-- US dollars. A reservation lives as long as the session that holds the lock of its holder. (Postgres)
select
  (select coalesce(sum(coalesce(cost, estimate)), 0) from answers where created_at >= %(since)s)
    + (
      select coalesce(sum(estimate), 0) from batches where submitted_at >= %(since)s and state = any(%(awaited)s)
    ) as spent,
  (
    select coalesce(sum(a.dollars), 0)
    from allowances a
    join pg_locks l on l.locktype = 'advisory' and l.granted and (l.classid::bigint << 32) | l.objid::bigint = a.holder
    where a.holder <> %(holder)s
  ) as others
