-- Which values had the properties of each event, in all or on each day? A value that is no choice is null: it is text.
with found as (
  select c.n, c.unit, c.day, e.role, coalesce(w.name, e.event_type) as event_type, e.schema_version,
    e.event_type as written, unnest(map_entries(e.properties::map(varchar, varchar))) as entry
  from chosen c
  join tagged_events e on e.day = c.day and e.conversation_id = c.conversation_id
  left join known_names w
    on w.schema_version = e.schema_version and w.role = e.role and w.event_type = e.event_type
  where c.tag_outcome = 'ok'
),
named as (
  select
    case when $by_day then f.day end as day,
    f.role, f.event_type, coalesce(p.name, f.entry.key) as property,
    case when k.value is not null or f.entry.value = 'not applicable' then f.entry.value end as value,
    f.unit, f.n
  from found f
  left join known_choices k
    on k.schema_version = f.schema_version and k.role = f.role and k.event_type = f.written
    and k.property = f.entry.key and k.value = f.entry.value
  left join known_properties p
    on p.schema_version = f.schema_version and p.role = f.role and p.event_type = f.written
    and p.property = f.entry.key
),
talks as (
  select day, role, event_type, property, count(distinct n) as conversations from named group by all
),
hits as (
  select day, role, event_type, property, value, unit, count(*) as events from named group by all
),
parts as (
  select *, sum(events) over (partition by day, role, event_type, property, unit) as unit_events,
    sum(events) over (partition by day, role, event_type, property) as all_events
  from hits
),
wholes as (
  select day, role, event_type, property, trials_by_unit(unit_events, all_events) as whole
  from (select distinct day, role, event_type, property, unit, unit_events, all_events from parts)
  group by all
),
counted as (
  select day, role, event_type, property, value, sum(events)::bigint as events,
    hits_by_unit(events, unit_events, all_events) as hit
  from parts
  group by all
)
select
  c.day, c.role, c.event_type, c.property, c.value, c.events,
  ratio_of(c.hit, w.whole, t.conversations) as of_events
from counted c
join wholes w
  on w.day is not distinct from c.day and w.role = c.role and w.event_type = c.event_type
  and w.property = c.property
join talks t
  on t.day is not distinct from c.day and t.role = c.role and t.event_type = c.event_type
  and t.property = c.property
order by c.day, c.role, c.event_type, c.property, c.events desc, c.value
