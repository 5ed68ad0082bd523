-- Did users come back within some days of their first judged conversation, after a bad one and after another?
with met as (
  select user_id, started_at, is_bad
  from chosen
  where user_id is not null and score is not null
  qualify row_number() over (partition by user_id order by started_at, conversation_id) = 1
),
horizon as (select max(started_at) as seen_until from raw_conversations)
select
  m.is_bad,
  m.started_at + to_days($within::integer) > h.seen_until as is_too_recent,
  count(*) as users,
  count(*) filter (where exists (
    select 1 from raw_conversations r
    where r.user_id = m.user_id and r.started_at > m.started_at
      and r.started_at <= m.started_at + to_days($within::integer)
  )) as returned
from met m, horizon h
group by all
order by all
