-- Which event follows which, in all or on each day? Null is the beginning of a conversation, or its end.
with pairs as (
  select n, day, coalesce(before, 0) as earlier, kind as later from chosen_events
  union all
  select n, day, kind as earlier, 0 as later from chosen_events where after is null
),
hits as (
  select case when $by_day then p.day end as day, p.earlier, p.later, c.unit, count(*) as times
  from pairs p
  join chosen c on c.n = p.n
  group by all
),
talks as (
  select case when $by_day then day end as day, earlier, count(distinct n) as conversations from pairs group by all
),
units as (
  select day, earlier, unit, sum(times) as times from hits group by day, earlier, unit
),
totals as (
  select day, earlier, sum(times) as all_times from units group by day, earlier
),
wholes as (
  select u.day, u.earlier, trials_by_unit(u.times, t.all_times) as whole
  from units u
  join totals t on t.day is not distinct from u.day and t.earlier = u.earlier
  group by u.day, u.earlier
),
counted as (
  select h.day, h.earlier, h.later, sum(h.times)::bigint as times, hits_by_unit(h.times, u.times, t.all_times) as hit
  from hits h
  join units u on u.day is not distinct from h.day and u.earlier = h.earlier and u.unit = h.unit
  join totals t on t.day is not distinct from h.day and t.earlier = h.earlier
  group by h.day, h.earlier, h.later
)
select
  h.day,
  a.role as from_role, a.event_type as from_event,
  b.role as to_role, b.event_type as to_event,
  h.times,
  ratio_of(h.hit, w.whole, t.conversations) as of_times
from counted h
join wholes w on w.day is not distinct from h.day and w.earlier = h.earlier
join talks t on t.day is not distinct from h.day and t.earlier = h.earlier
left join chosen_kinds a on a.kind = h.earlier
left join chosen_kinds b on b.kind = h.later
order by h.day, h.times desc, from_role, from_event, to_role, to_event
