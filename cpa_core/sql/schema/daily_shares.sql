-- Of every day of a span that this version of the schema tagged: how many messages have no event, by role, and how many are of
-- each type; how many values of properties are "not applicable"? Hits of trials, by measure.
with asked as (
  select m.day, m.conversation_id, m.position, m.role
  from tagged_conversations t
  join messages m on m.day = t.day and m.conversation_id = t.conversation_id
  where t.schema_version = $version and t.outcome = 'ok' and m.role in ('user', 'assistant') and m.day between $first and $last
),
roles as (
  select day, role, count(*) as trials from asked group by day, role
),
events as (
  select a.day, a.role, a.conversation_id, a.position, e.event_type, e.properties
  from asked a
  join tagged_events e on e.day = a.day and e.conversation_id = a.conversation_id and e.position = a.position
),
covered as (
  select day, role, count(distinct (conversation_id, position)) as messages from events group by day, role
),
types as (
  select distinct role, event_type from events
),
fired as (
  select day, role, event_type, count(*) as hits from events group by day, role, event_type
),
said as (
  select day, unnest(json_extract_string(properties, '$.*')) as value from events
)
select r.day, 'no event, ' || r.role as name, r.trials - coalesce(c.messages, 0) as hits, r.trials
from roles r
left join covered c on c.day = r.day and c.role = r.role
union all
select r.day, k.role || ' ' || k.event_type, coalesce(f.hits, 0), r.trials
from roles r
join types k on k.role = r.role
left join fired f on f.day = r.day and f.role = k.role and f.event_type = k.event_type
union all
select day, 'not applicable', count(*) filter (where value = 'not applicable'), count(*)
from said
group by day
order by all
