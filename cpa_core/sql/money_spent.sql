-- What have a run and a day cost so far, in US dollars? Calls of unknown price count nothing.
select
  coalesce(sum(cost) filter (where starts_with(run_id, $run)), 0) as by_run,
  coalesce(sum(cost) filter (where created_at >= $since), 0) as by_day
from answers
