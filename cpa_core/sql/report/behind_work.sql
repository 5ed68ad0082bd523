-- Which conversations are behind costs and failures, and behind users who came back or did not?
with met as (
  select n, started_at, is_bad
  from chosen
  where user_id is not null and score is not null
  qualify row_number() over (partition by unit order by started_at, conversation_id) = 1
),
keyed as (
  select c.n, 'cost:' || a.task || ':' || a.provider || ':' || a.model as key
  from answers a join chosen c on c.day = a.day and c.conversation_id = a.conversation_id
  union
  select c.n, 'failure:' || f.stage || ':' || f.reason
  from failures f join chosen c on c.day = f.day and c.conversation_id = f.conversation_id
  union
  select n, case when is_bad then 'first-bad' else 'first-other' end
  from met
  where started_at + to_days($within::integer) <= (select max(started_at) from raw_conversations)
)
select k.key, count(*) as total, min(s.place, $most) as places
from keyed k
join sampled s on s.n = k.n
group by k.key
