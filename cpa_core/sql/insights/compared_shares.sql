-- How often do a comparison's own cases end, how often the others of its base, and what part of it are its own?
-- The variance of the others is of first order, from sums of squares over all units: they are nearly all of the base.
with base_sums as (
  select base, sum(cases) as cases, sum(ends) as ends, count(*) as units, sum(squared(cases)) as cc, sum(cases * ends) as ce,
    sum(squared(ends)) as ee, trials_by_unit(cases, all_cases) as whole
  from compared_base_units
  group by base
),
own_totals as (select id, sum(cases) as all_cases from compared_own_units group by id),
own_units as (
  select o.id, o.base, o.unit, o.cases, o.ends, t.all_cases
  from compared_own_units o
  join own_totals t on t.id = o.id
),
touched as (
  select
    o.id, o.base, by_unit(o.ends, o.cases, o.all_cases, o.cases) as own,
    hits_by_unit(o.cases, b.cases, b.all_cases) as met,
    sum(o.cases * (o.cases - 2 * b.cases)) as cc,
    sum(o.cases * o.ends - b.cases * o.ends - o.cases * b.ends) as ce,
    sum(o.ends * (o.ends - 2 * b.ends)) as ee,
    count(*) filter (where b.cases <= o.cases) as emptied
  from own_units o
  join compared_base_units b on b.base = o.base and b.unit = o.unit
  group by o.id, o.base
),
others as (
  select
    t.id, t.own, ratio_of(t.met, s.whole, s.whole.trials) as met,
    s.ends - t.own.hits as hits, s.cases - t.own.trials as trials, s.units - t.emptied as units,
    greatest(s.ee + t.ee, 0) as hit_squares, greatest(s.ce + t.ce, 0) as products,
    greatest(s.cc + t.cc, 0) as trial_squares
  from touched t
  join base_sums s on s.base = t.base
)
select
  id, own, met,
  {
    'hits': hits, 'trials': trials, 'units': units, 'conversations': trials::bigint,
    'hit_squares': hit_squares, 'products': products, 'trial_squares': trial_squares,
    'most_hits': 0::double, 'most_trials': 0::double, 'basis': basis(),
    'variance': case when units > 1 and trials > 0 then greatest(
      units / (units - 1.0)
      * (hit_squares - 2 * hits / trials * products + squared(hits / trials) * trial_squares) / squared(trials), 0
    ) end
  } as rest
from others
order by id
