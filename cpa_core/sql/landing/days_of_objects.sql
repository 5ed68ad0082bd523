-- On which days do the messages of each new object count?
update landed_files set days = found.days
from (
  select m.uri, list(distinct c.day::varchar order by c.day::varchar) as days
  from landed_messages m join landed_conversations c using (conversation_id)
  where m.uri in (select uri from fresh where problem is null)
  group by m.uri
) as found
where landed_files.uri = found.uri and landed_files.replaced_at is null
