-- Of the rows of one message in the touched conversations, which one counts? The newest current object's.
update landed_messages
set superseded_at = case when ranked.place_in_line = 1 then null else coalesce(superseded_at, $now) end
from (
  select
    m.rowid as row,
    case
      when f.uri is null then 2
      else row_number() over (
        partition by m.conversation_id, m.message_id, f.uri is null
        order by f.modified_at desc, f.landed_at desc, m.uri desc, m.ordinal
      )
    end as place_in_line
  from landed_messages m
  left join landed_files f on f.uri = m.uri and f.etag = m.etag and f.replaced_at is null
  where m.conversation_id in (select conversation_id from touched)
) as ranked
where landed_messages.rowid = ranked.row
