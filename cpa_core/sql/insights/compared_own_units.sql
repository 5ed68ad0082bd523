-- Which cases has each comparison of its own, by unit? `hits` and `trials` are its parts of the difference by layers.
create or replace temp table compared_own_units as
select
  m.id, m.base, o.unit,
  sum(o.cases) as cases,
  sum(o.ends) as ends,
  sum(o.ends - o.cases * m.rate) as hits,
  sum(o.cases * (1 - 2 * m.part)) as trials
from compared_own o
join compared_means m on m.id = o.id and m.layer = o.layer
group by m.id, m.base, o.unit
