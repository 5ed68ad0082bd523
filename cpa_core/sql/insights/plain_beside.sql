-- What do all units have of the difference over all layers as units of the base? Sums of products, over units.
create or replace temp table compared_beside as
with rates as (select distinct base, rate from plain_means),
products as (
  select b.base, sum(squared(b.ends - b.cases * r.rate)) as rr,
    sum((b.ends - b.cases * r.rate) * b.cases) as rc, sum(squared(b.cases)) as cc
  from compared_base_units b
  join rates r on r.base = b.base
  group by b.base
)
select
  m.id, m.own_ends - m.own_cases * m.rate as own_hits, m.own_cases * (1 - 2 * m.part) as own_trials, m.units,
  squared(m.part) * m.all_cases as m, squared(m.part) * p.rr as qq,
  m.part * squared(m.part) * p.rc as qm, squared(squared(m.part)) * p.cc as mm
from plain_means m
join products p on p.base = m.base
