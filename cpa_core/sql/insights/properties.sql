-- Which values had the properties of each event, in all or on each day? A value that is no choice is null: it is text.
-- Properties are numbered by their newest names, so that what is counted by unit is counted by numbers.
with found as (
  select
    c.n, c.unit, case when $by_day then c.day end as day, w.written,
    unnest(map_entries(e.properties::map(varchar, varchar))) as entry
  from chosen c
  join tagged_events e on e.day = c.day and e.conversation_id = c.conversation_id
  join written_kinds w
    on w.role = e.role and w.event_type = e.event_type and w.schema_version is not distinct from e.schema_version
  where c.tag_outcome = 'ok'
),
keys as (
  select
    f.written, f.key, w.role, w.name as event_type, coalesce(p.name, f.key) as property,
    dense_rank() over (order by w.role, w.name, coalesce(p.name, f.key))::integer as number
  from (select distinct written, entry.key as key from found) as f
  join written_kinds w on w.written = f.written
  left join known_properties p
    on p.schema_version = w.schema_version and p.role = w.role and p.event_type = w.event_type and p.property = f.key
),
choices as (
  select w.written, k.property as key, k.value
  from known_choices k
  join written_kinds w on w.schema_version = k.schema_version and w.role = k.role and w.event_type = k.event_type
),
named as (
  select
    f.day, k.number, f.unit, f.n,
    case when c.value is not null or f.entry.value = 'not applicable' then f.entry.value end as value
  from found f
  join keys k on k.written = f.written and k.key = f.entry.key
  left join choices c on c.written = f.written and c.key = f.entry.key and c.value = f.entry.value
),
talks as (select day, number, count(distinct n) as conversations from named group by day, number),
hits as (select day, number, value, unit, count(*) as events from named group by day, number, value, unit),
units as (select day, number, unit, sum(events) as events from hits group by day, number, unit),
totals as (select day, number, sum(events) as all_events from units group by day, number),
wholes as (
  select u.day, u.number, trials_by_unit(u.events, t.all_events) as whole
  from units u
  join totals t on t.day is not distinct from u.day and t.number = u.number
  group by u.day, u.number
),
counted as (
  select
    h.day, h.number, h.value, sum(h.events)::bigint as events,
    hits_by_unit(h.events, u.events, t.all_events) as hit
  from hits h
  join units u on u.day is not distinct from h.day and u.number = h.number and u.unit = h.unit
  join totals t on t.day is not distinct from h.day and t.number = h.number
  group by h.day, h.number, h.value
)
select
  c.day, k.role, k.event_type, k.property, c.value, c.events,
  ratio_of(c.hit, w.whole, t.conversations) as of_events
from counted c
join wholes w on w.day is not distinct from c.day and w.number = c.number
join talks t on t.day is not distinct from c.day and t.number = c.number
join (select distinct number, role, event_type, property from keys) as k on k.number = c.number
order by c.day, k.role, k.event_type, k.property, c.events desc, c.value
