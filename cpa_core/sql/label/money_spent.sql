-- What have a run and a day cost so far, in US dollars? A call of unknown cost counts what was set aside for it.
select
  coalesce(sum(coalesce(cost, estimate)) filter (where starts_with(run_id, $run)), 0) as by_run,
  coalesce(sum(coalesce(cost, estimate)) filter (where created_at >= $since), 0) as by_day
from answers
