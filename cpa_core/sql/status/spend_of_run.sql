-- What did this run ask and spend, by task and model? Null is an unknown price. Failed calls brought no answer that is used.
select
  task,
  provider || ':' || model as model,
  count(*)::bigint as calls,
  count(*) filter (where outcome not in ('ok', 'refused', 'filtered'))::bigint as failed_calls,
  case when count(*) = count(cost) then coalesce(sum(cost), 0) end as cost
from answers
where starts_with(run_id, $run)
group by task, provider, model
order by task, provider, model
