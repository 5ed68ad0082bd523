-- At which destinations do events of these conversations stand, to whom do they belong there, and when was one last sent?
select
  destination, project, distinct_id, coalesce(bool_or(identified), false) as identified, count(*) as events,
  max(receipted_at) as last_sent_at
from upload_receipts
where conversation_id in (select unnest(from_json($ids::json, '["varchar"]')))
  and status in ('accepted', 'accepted_warning', 'pending', 'unknown')
  and distinct_id is not null
group by destination, project, distinct_id
order by destination, project, distinct_id
