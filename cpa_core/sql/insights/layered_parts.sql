-- What has each unit with own cases of the difference within layers? From its own cases, and as one of the base.
-- Layers are numbered from 1 to 12; a unit's residuals and cases by layer are a vector, and so are a comparison's means.
create or replace temp view compared_parts as
with rates as (select distinct base, layer, rate from compared_means),
vectors as (
  select b.base, b.unit, by_layer(b.layer, b.ends - b.cases * r.rate) as residual, by_layer(b.layer, b.cases) as cases
  from compared_base b
  join rates r on r.base = b.base and r.layer = b.layer
  group by b.base, b.unit
),
shares as (
  select id, by_layer(layer, part) as part, by_layer(layer, squared(part)) as part_squared
  from compared_means
  group by id
)
select o.id, o.hits as own_hits, o.trials as own_trials,
  array_inner_product(s.part, v.residual) as q, array_inner_product(s.part_squared, v.cases) as m
from compared_own_units o
join vectors v on v.base = o.base and v.unit = o.unit
join shares s on s.id = o.id
