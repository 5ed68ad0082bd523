-- How much more often do a comparison's own cases end than the others of its base, within layers, and how sure is it?
-- Mantel and Haenszel's difference is a ratio of sums over units: of (x - mean x)(y - mean y), with x whether a case is
-- the comparison's own, y whether it ended, and the means of its layer; over (x - mean x)². A unit with own cases is
-- left out exactly, one without to first order, from the products of its layers: such units need no row of their own.
-- Layers are numbered from 1 to 12; a unit's residuals and cases by layer are a vector, and so are a comparison's means.
with asked as (
  select unnest($ids::integer[]) as id, unnest($bases::integer[]) as base
),
layers as (select unnest(range(1, 13)) as layer),
totals as (
  select base, layer, sum(cases) as cases, sum(ends) as ends from compared_base group by base, layer
),
own_totals as (
  select id, layer, sum(cases) as cases from compared_own group by id, layer
),
means as (
  select a.id, a.base, o.layer, o.cases / t.cases as part, t.ends / t.cases as rate, t.cases as all_cases
  from asked a
  join own_totals o on o.id = a.id
  join totals t on t.base = a.base and t.layer = o.layer
),
shares as (
  select a.id, a.base, list(coalesce(m.part, 0) order by l.layer)::double[12] as part,
    list(coalesce(squared(m.part), 0) order by l.layer)::double[12] as part_squared,
    sum(coalesce(squared(m.part) * m.all_cases, 0)) as m
  from asked a
  cross join layers l
  left join means m on m.id = a.id and m.layer = l.layer
  group by a.id, a.base
),
residuals as (
  select b.base, b.unit, b.layer, b.cases, b.ends - b.cases * t.ends / t.cases as residual
  from compared_base b
  join totals t on t.base = b.base and t.layer = b.layer
),
vectors as (
  select u.base, u.unit, list(coalesce(r.residual, 0) order by l.layer)::double[12] as residual,
    list(coalesce(r.cases, 0) order by l.layer)::double[12] as cases
  from (select distinct base, unit from compared_base) as u
  cross join layers l
  left join residuals r on r.base = u.base and r.unit = u.unit and r.layer = l.layer
  group by u.base, u.unit
),
products as (
  select a.base, a.layer as one, b.layer as other, sum(a.residual * b.residual) as rr,
    sum(a.residual * b.cases) as rc, sum(a.cases * b.cases) as cc
  from residuals a
  join residuals b on b.base = a.base and b.unit = a.unit
  group by all
),
units as (select base, count(*) as units from vectors group by base),
beside as (
  select
    s.id, sum(s.part * t.part * p.rr) as qq, sum(s.part * squared(t.part) * p.rc) as qm,
    sum(squared(s.part * t.part) * p.cc) as mm
  from means s
  join means t on t.id = s.id
  join products p on p.base = s.base and p.one = s.layer and p.other = t.layer
  group by s.id
),
own_sums as (
  select
    m.id, m.base, o.unit,
    sum(o.ends - o.cases * m.rate) as hits,
    sum(o.cases * (1 - 2 * m.part)) as trials
  from compared_own o
  join means m on m.id = o.id and m.layer = o.layer
  group by m.id, m.base, o.unit
),
touched as (
  select s.id, s.unit, s.hits as own_hits, s.trials as own_trials,
    array_inner_product(p.part, v.residual) as q, array_inner_product(p.part_squared, v.cases) as m
  from own_sums s
  join vectors v on v.base = s.base and v.unit = s.unit
  join shares p on p.id = s.id
),
wholes as (
  select t.id, t.hits, t.trials + s.m as trials, s.m
  from (select id, sum(hits) as hits, sum(trials) as trials from own_sums group by id) as t
  join shares s on s.id = t.id
),
parts as (
  select
    t.id, t.q, t.m, t.own_hits - t.q as hits, t.own_trials + t.m as trials,
    (w.hits * (t.own_trials + t.m) - (t.own_hits - t.q) * w.trials)
      / nullif(w.trials * (w.trials - t.own_trials - t.m), 0) as distance
  from touched t
  join wholes w on w.id = t.id
),
sums as (
  select
    id, sum(squared(hits)) as hh, sum(hits * trials) as ht, sum(squared(trials)) as tt,
    sum(q) as q, sum(m) as m, sum(squared(q)) as qq, sum(q * m) as qm, sum(squared(m)) as mm,
    max(abs(hits)) as most_hits, max(trials) as most_trials,
    case when count(*) = count(distance) then sum(distance) end as d, sum(squared(distance)) as dd
  from parts
  group by id
),
final as (
  select
    w.id, w.hits, w.trials, u.units,
    s.hh + b.qq - s.qq as hit_squares,
    s.ht - (b.qm - s.qm) as products,
    s.tt + b.mm - s.mm as trial_squares,
    s.most_hits, s.most_trials,
    s.d + (w.hits / w.trials * (w.m - s.m) - s.q) / w.trials as d,
    s.dd + (squared(w.hits / w.trials) * (b.mm - s.mm) + 2 * w.hits / w.trials * (b.qm - s.qm) + b.qq - s.qq)
      / squared(w.trials) as dd
  from wholes w
  join sums s on s.id = w.id
  join beside b on b.id = w.id
  join asked a on a.id = w.id
  join units u on u.base = a.base
  where w.trials > 1e-9
)
select id, hits, trials, units, 0::bigint as conversations, greatest(hit_squares, 0) as hit_squares, products,
  greatest(trial_squares, 0) as trial_squares, most_hits, most_trials,
  case when units > 1 then greatest((units - 1.0) / units * (dd - squared(d) / units), 0) end as variance
from final
order by id
