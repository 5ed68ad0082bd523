-- What did a task of this run use and cost on a day, with the batches whose answers it uses? Null where a usage or price is
-- unknown.
select
  count(*) as calls,
  count(distinct conversation_id) as conversations,
  case when count(*) = count(prompt_tokens) then coalesce(sum(prompt_tokens), 0)::bigint end as prompt_tokens,
  case when count(*) = count(cached_tokens) then coalesce(sum(cached_tokens), 0)::bigint end as cached_tokens,
  case when count(*) = count(completion_tokens) then coalesce(sum(completion_tokens), 0)::bigint end
    as completion_tokens,
  case when count(*) = count(cost) then coalesce(sum(cost), 0) end as cost
from answers
where task = $task and (run_id = $run and day = $day or run_id in (select unnest(from_json($batches::json, '["varchar"]'))))
