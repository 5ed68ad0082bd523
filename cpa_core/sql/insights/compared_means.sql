-- What part of its base are a comparison's own cases, and how often does the base end, by layer?
create or replace temp table compared_means as
with asked as (
  select unnest($ids::integer[]) as id, unnest($bases::integer[]) as base
),
totals as (
  select base, layer, sum(cases) as cases, sum(ends) as ends from compared_base group by base, layer
),
own_totals as (
  select id, layer, sum(cases) as cases from compared_own group by id, layer
)
select a.id, a.base, o.layer, o.cases / t.cases as part, t.ends / t.cases as rate, t.cases as all_cases
from asked a
join own_totals o on o.id = a.id
join totals t on t.base = a.base and t.layer = o.layer
