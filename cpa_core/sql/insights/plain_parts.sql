-- What has each unit with own cases of the difference over all layers? From its own cases, and as one of the base.
create or replace temp view compared_parts as
select
  o.id, o.ends - o.cases * m.rate as own_hits, o.cases * (1 - 2 * m.part) as own_trials,
  m.part * (b.ends - b.cases * m.rate) as q, squared(m.part) * b.cases as m
from compared_own_units o
join plain_means m on m.id = o.id
join compared_base_units b on b.base = o.base and b.unit = o.unit
