-- What does each reviewer say, at last and blind, of each item that was reviewed, before any adjudication?
with valid as (select unnest(from_json($valid::json, '["varchar"]')) as meaning),
standing as (
  select *
  from gold_labels
  where blind and queue <> $adjudicated and part = 'measure'
  qualify row_number() over (
    partition by kind, key, definition, conversation_id, message_id, reviewer
    order by reviewed_at desc, review_id desc
  ) = 1
)
select
  l.kind, l.key, l.conversation_id, coalesce(l.message_id, '') as message_id, l.reviewer, r.user_id,
  last(l.present order by l.reviewed_at, l.review_id) as present
from standing l
join valid v on v.meaning = l.kind || ' ' || l.key || ' ' || l.definition
left join raw_conversations r on r.conversation_id = l.conversation_id
where l.present is not null
group by l.kind, l.key, l.conversation_id, l.message_id, l.reviewer, r.user_id
