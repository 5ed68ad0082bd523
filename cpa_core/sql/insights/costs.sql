-- What did asking about these conversations cost, in US dollars, by task and model? Null is unknown.
select
  a.task, a.provider || ':' || a.model as model,
  count(*) as calls,
  count(distinct a.conversation_id) as conversations,
  case when count(*) = count(a.prompt_tokens) then sum(a.prompt_tokens)::bigint end as prompt_tokens,
  case when count(*) = count(a.completion_tokens) then sum(a.completion_tokens)::bigint end as completion_tokens,
  case when count(*) = count(a.cost) then sum(a.cost) end as cost
from answers a
join chosen c on c.day = a.day and c.conversation_id = a.conversation_id
group by all
order by a.task, model
