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
totalled as (
  select *, sum(times) over (partition by day, earlier, unit) as unit_times,
    sum(times) over (partition by day, earlier) as all_times
  from hits
),
wholes as (
  select day, earlier, trials_by_unit(unit_times, all_times) as whole
  from (select distinct day, earlier, unit, unit_times, all_times from totalled)
  group by all
),
counted as (
  select day, earlier, later, sum(times)::bigint as times, hits_by_unit(times, unit_times, all_times) as hit
  from totalled
  group by all
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
