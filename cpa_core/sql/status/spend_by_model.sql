-- What did each task by each model take: calls, tokens, cost? Null is unknown.
-- On the first line of a task and a model: how many of its questions, in all lanes, did the ledger answer?
with paid as (
  select
    task, provider, model, lane,
    count(*) as calls,
    count(*) filter (where outcome not in ('ok', 'refused', 'filtered'))::bigint as failed_calls,
    case when count(*) = count(prompt_tokens) then sum(prompt_tokens)::bigint end as prompt_tokens,
    case when count(*) = count(cached_tokens) then sum(cached_tokens)::bigint end as cached_tokens,
    case when count(*) = count(completion_tokens) then sum(completion_tokens)::bigint end as completion_tokens,
    case when count(*) = count(cost) then sum(cost) end as cost,
    count(distinct conversation_id) as conversations
  from answers
  group by task, provider, model, lane
),
reused as (
  select task, provider, model, sum(questions)::bigint as questions
  from answers_reused
  group by task, provider, model
),
asked as (
  select task, provider, model, sum(calls)::bigint as calls, min(lane) as first_lane
  from paid
  group by task, provider, model
)
select
  p.* exclude (provider, model),
  p.provider || ':' || p.model as model,
  case when p.lane = a.first_lane then coalesce(r.questions, 0)::bigint end as reused,
  case when p.lane = a.first_lane then (a.calls + coalesce(r.questions, 0))::bigint end as questions
from paid p
join asked a on a.task = p.task and a.provider = p.provider and a.model = p.model
left join reused r on r.task = p.task and r.provider = p.provider and r.model = p.model
order by p.task, p.provider || ':' || p.model, p.lane
