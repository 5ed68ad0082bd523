-- In which conversations of this day does a measure happen most? Only ids.
with asked as (
  select m.conversation_id, m.position, m.role
  from tagged_conversations t
  join messages m on m.day = t.day and m.conversation_id = t.conversation_id
  where t.day = $day and t.outcome = 'ok' and m.role in ('user', 'assistant')
),
happened as (
  select a.conversation_id, 'no event, ' || a.role as name
  from asked a
  left join tagged_events e
    on e.day = $day and e.conversation_id = a.conversation_id and e.position = a.position
  where e.event_id is null
  union all
  select conversation_id, role || ' ' || event_type from tagged_events where day = $day
  union all
  select conversation_id, 'not applicable'
  from (
    select conversation_id, unnest(json_extract_string(properties, '$.*')) as value
    from tagged_events where day = $day
  )
  where value = 'not applicable'
)
select conversation_id
from happened
where name = $name
group by conversation_id
order by count(*) desc, conversation_id
limit 5
