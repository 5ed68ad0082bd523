-- Of the rows of one message in the shared conversations, which one counts? The newest object's.
update landed_messages
set superseded_at = case when ranked.counts then null else $now end
from (
  select
    m.uri, m.ordinal,
    row_number() over (
      partition by m.conversation_id, m.message_id
      order by f.modified_at desc, m.uri desc
    ) = 1 as counts
  from landed_messages m
  join landed_files f on f.uri = m.uri and f.etag = m.etag and f.replaced_at is null
  where m.conversation_id in (select conversation_id from shared)
) as ranked
where landed_messages.uri = ranked.uri and landed_messages.ordinal = ranked.ordinal
  and ranked.counts = (landed_messages.superseded_at is not null)
