-- What has each unit with own cases of the difference within layers? From its own cases, and as one of the base.
-- Layers are numbered from 1 to 12; a unit's residuals and cases by layer are a vector, and so are a comparison's means.
create or replace temp view compared_parts as
with layers as (select unnest(range(1, 13)) as layer),
rates as (select distinct base, layer, rate from compared_means),
residuals as (
  select b.base, b.unit, b.layer, b.cases, b.ends - b.cases * r.rate as residual
  from compared_base b
  join rates r on r.base = b.base and r.layer = b.layer
),
vectors as (
  select u.base, u.unit, list(coalesce(r.residual, 0) order by l.layer)::double[12] as residual,
    list(coalesce(r.cases, 0) order by l.layer)::double[12] as cases
  from compared_base_units u
  cross join layers l
  left join residuals r on r.base = u.base and r.unit = u.unit and r.layer = l.layer
  group by u.base, u.unit
),
shares as (
  select i.id, list(coalesce(m.part, 0) order by l.layer)::double[12] as part,
    list(coalesce(squared(m.part), 0) order by l.layer)::double[12] as part_squared
  from (select distinct id from compared_means) as i
  cross join layers l
  left join compared_means m on m.id = i.id and m.layer = l.layer
  group by i.id
)
select o.id, o.hits as own_hits, o.trials as own_trials,
  array_inner_product(s.part, v.residual) as q, array_inner_product(s.part_squared, v.cases) as m
from compared_own_units o
join vectors v on v.base = o.base and v.unit = o.unit
join shares s on s.id = o.id
