-- What do all units have of the difference within layers as units of the base? Sums of products of layers, over units.
create or replace temp table compared_beside as
with rates as (select distinct base, layer, rate from compared_means),
residuals as (
  select b.base, b.unit, b.layer, b.cases, b.ends - b.cases * r.rate as residual
  from compared_base b
  join rates r on r.base = b.base and r.layer = b.layer
),
products as (
  select a.base, a.layer as one, b.layer as other, sum(a.residual * b.residual) as rr,
    sum(a.residual * b.cases) as rc, sum(a.cases * b.cases) as cc
  from residuals a
  join residuals b on b.base = a.base and b.unit = a.unit
  group by all
),
units as (select base, count(*) as units from compared_base_units group by base),
own as (select id, sum(hits) as hits, sum(trials) as trials from compared_own_units group by id),
wholes as (select id, base, sum(squared(part) * all_cases) as m from compared_means group by id, base),
beside as (
  select
    s.id, sum(s.part * t.part * p.rr) as qq, sum(s.part * squared(t.part) * p.rc) as qm,
    sum(squared(s.part * t.part) * p.cc) as mm
  from compared_means s
  join compared_means t on t.id = s.id
  join products p on p.base = s.base and p.one = s.layer and p.other = t.layer
  group by s.id
)
select w.id, o.hits as own_hits, o.trials as own_trials, u.units, w.m, b.qq, b.qm, b.mm
from wholes w
join own o on o.id = w.id
join units u on u.base = w.base
join beside b on b.id = w.id
