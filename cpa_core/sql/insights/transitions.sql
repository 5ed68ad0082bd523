-- Which event follows which, in all or on each day? Null is the beginning of a conversation, or its end.
with pairs as (
  select day, before as earlier, kind as later from chosen_events
  union all
  select day, kind as earlier, null as later from chosen_events where after is null
)
select
  case when $by_day then p.day end as day,
  a.role as from_role, a.event_type as from_event,
  b.role as to_role, b.event_type as to_event,
  count(*) as times
from pairs p
left join chosen_kinds a on a.kind = p.earlier
left join chosen_kinds b on b.kind = p.later
group by all
order by day, times desc, from_role, from_event, to_role, to_event
