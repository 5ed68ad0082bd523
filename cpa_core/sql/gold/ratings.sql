-- What does each reviewer say of each item that was reviewed, before any adjudication?
with valid as (select unnest(from_json($valid::json, '["varchar"]')) as meaning)
select
  l.kind, l.key, l.conversation_id, coalesce(l.message_id, '') as message_id, l.reviewer, r.user_id,
  first(l.present order by l.reviewed_at, l.review_id) as present
from gold_labels l
join valid v on v.meaning = l.kind || ' ' || l.key || ' ' || l.definition
left join raw_conversations r on r.conversation_id = l.conversation_id
where l.blind and l.queue <> $adjudicated and l.present is not null and l.part = 'measure'
group by l.kind, l.key, l.conversation_id, l.message_id, l.reviewer, r.user_id
