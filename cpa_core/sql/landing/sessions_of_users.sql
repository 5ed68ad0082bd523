-- Which conversation is each message of these users in, where only the user's id is given? A session ends after a silent gap.
with ordered as (
  select
    uri, ordinal, user_id, sent_at,
    $gap::bigint > 0
      and sent_at - lag(sent_at) over (partition by user_id order by sent_at, uri, ordinal) > to_minutes($gap::bigint)
      as begins
  from landed_messages
  where by_user and user_id in (select user_id from users)
),
numbered as (
  select *, count(*) filter (where begins) over (partition by user_id order by sent_at, uri, ordinal) as session
  from ordered
),
named as (
  select
    uri, ordinal,
    case when $gap::bigint = 0 then user_id else user_id || strftime(
      min(sent_at) over (partition by user_id, session), '@%Y-%m-%dT%H:%M:%SZ'
    ) end as conversation_id
  from numbered
)
update landed_messages
set conversation_id = named.conversation_id
from named
where landed_messages.uri = named.uri and landed_messages.ordinal = named.ordinal
  and landed_messages.conversation_id <> named.conversation_id
