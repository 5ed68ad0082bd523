-- Of which messages do people say another thing than the tagger or than each other, those with most differences first?
with people as (
  select conversation_id, message_id, key, bool_or(present) as present, count(distinct present) > 1 as is_disputed
  from (
    select *
    from gold_labels
    where kind = 'event'
    qualify row_number() over (
      partition by conversation_id, message_id, key, reviewer order by reviewed_at desc, review_id desc
    ) = 1
  )
  group by conversation_id, message_id, key
),
tagged as (
  select e.conversation_id, e.message_id, l.key
  from tagged_events e
  join (select distinct name, role, key, message_id, conversation_id from gold_labels where kind = 'event') as l
    on l.conversation_id = e.conversation_id and l.message_id = e.message_id and l.name = e.event_type
    and l.role = e.role
)
select p.conversation_id, p.message_id, count(*) as differences
from people p
left join tagged t on t.conversation_id = p.conversation_id and t.message_id = p.message_id and t.key = p.key
where p.is_disputed or p.present <> (t.key is not null)
group by p.conversation_id, p.message_id
order by differences desc, p.conversation_id, p.message_id
