-- What have a run and a day cost so far, in US dollars? A call of unknown cost counts what was set aside for it. (Postgres)
select
  (select coalesce(sum(coalesce(cost, estimate)), 0) from answers where starts_with(run_id, $run)) as by_run,
  (select coalesce(sum(coalesce(cost, estimate)), 0) from answers where created_at >= $since) as by_day
