-- What part of the conversations did each issue harm in each span of days, as sums over units?
with asked as (
  select
    unnest($numbers::bigint[]) as number, unnest($issues::bigint[]) as issue, unnest($firsts::date[]) as first,
    unnest($lasts::date[]) as last
),
named as (select a.*, f.cause from asked a join followed_issues f on f.issue = a.issue),
span_units as (
  select s.cause, s.first, s.last, t.unit, sum(t.trials) as part
  from (select distinct cause, first, last from named) as s
  join harm_trials t on t.cause = s.cause and t.day between s.first and s.last
  group by all
),
totals as (select cause, first, last, sum(part) as all_parts from span_units group by all),
whole as (
  select u.cause, u.first, u.last, trials_by_unit(u.part, t.all_parts) as trials
  from span_units u
  join totals t on t.cause = u.cause and t.first = u.first and t.last = u.last
  group by u.cause, u.first, u.last
),
hit_units as (
  select n.number, n.cause, n.first, n.last, h.unit, sum(h.hits) as hits
  from named n
  join harmed h on h.issue = n.issue and h.day between n.first and n.last
  group by all
),
hit as (
  select h.number, hits_by_unit(h.hits, u.part, t.all_parts) as hits
  from hit_units h
  join span_units u on u.cause = h.cause and u.first = h.first and u.last = h.last and u.unit = h.unit
  join totals t on t.cause = h.cause and t.first = h.first and t.last = h.last
  group by h.number
),
none as (select hits_by_unit(x, x, x) as hits from (select 1.0 as x where false))
select n.number, ratio_of(coalesce(h.hits, none.hits), w.trials, w.trials.trials) as sums
from named n
join whole w on w.cause = n.cause and w.first = n.first and w.last = n.last
cross join none
left join hit h on h.number = n.number
order by n.number
