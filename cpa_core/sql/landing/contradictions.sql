-- Which rows say something else under the same ids than the row that counts?
select m.uri, m.etag, m.place, to_json(m)::varchar as raw
from landed_messages m
join landed_messages winner
  on winner.conversation_id = m.conversation_id and winner.message_id = m.message_id
  and winner.superseded_at is null
where m.conversation_id in (select conversation_id from shared)
  and m.superseded_at is not null
  and (m.role, m.content, m.sent_at) is distinct from (winner.role, winner.content, winner.sent_at)
order by m.uri, m.ordinal
