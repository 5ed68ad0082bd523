-- What may the batches cost whose answers are still to come, in US dollars?
select
  coalesce(sum(estimate) filter (where starts_with(batch_key, $run)), 0) as by_run,
  coalesce(sum(estimate) filter (where submitted_at >= $since), 0) as by_day
from batches
where list_contains($awaited::varchar[], state)
