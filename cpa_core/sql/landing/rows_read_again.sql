-- Which rows of earlier ranges of a database are read again now, or are of a conversation that is read again whole?
create or replace temp table outdated as
with again as (
  select *, split_part(uri, '#', 1) as source
  from landed_messages
  where list_contains(from_json($again::json, '["varchar"]'), uri)
)
select old.uri, old.ordinal, old.conversation_id
from landed_messages old
where old.uri not in (select uri from fresh)
  and split_part(old.uri, '#', 1) in (select source from again)
  and (
    (case when old.by_user then old.user_id else old.conversation_id end, old.message_id) in (
      select (case when by_user then user_id else conversation_id end, message_id) from again
    )
    or old.conversation_id in (
      select conversation_id from again
      where contains(place, ': messages.') or list_contains(from_json($whole::json, '["varchar"]'), uri)
    )
  )
