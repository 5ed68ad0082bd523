-- Did users come back within some days of their first judged conversation, after a bad one and after another?
with met as (
  select unit, user_id, started_at, is_bad
  from chosen
  where user_id is not null and score is not null
  qualify row_number() over (partition by unit order by started_at, conversation_id) = 1
),
horizon as (select max(started_at) as seen_until from raw_conversations),
users as (
  select
    m.is_bad,
    m.started_at + to_days($within::integer) > h.seen_until as is_too_recent,
    exists (
      select 1 from raw_conversations r
      where r.user_id = m.user_id and r.started_at > m.started_at
        and r.started_at <= m.started_at + to_days($within::integer)
    )::integer as returned
  from met m, horizon h
)
select is_bad, is_too_recent, count(*) as users, by_unit(returned, 1, all_users, 1) as of_users
from (select *, count(*) over (partition by is_bad, is_too_recent) as all_users from users)
group by is_bad, is_too_recent
order by is_bad, is_too_recent
