-- Which rows say something else under the same ids than the row that counts?
select m.uri, m.etag, m.place, to_json(m)::varchar as raw
from landed_messages m
join landed_messages winner
  on winner.conversation_id = m.conversation_id and winner.message_id = m.message_id
  and winner.superseded_at is null
where m.conversation_id in (select conversation_id from shared)
  and m.superseded_at is not null
  and (
    (m.role, m.content) is distinct from (winner.role, winner.content)
    or (m.sent_at <> winner.sent_at and not m.time_assumed and not winner.time_assumed)
  )
order by m.uri, m.ordinal
