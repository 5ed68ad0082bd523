-- What part of its base are a comparison's own cases, and how often does the base end, over all layers?
create or replace temp table plain_means as
with totals as (
  select base, count(*) as units, sum(cases) as cases, sum(ends) as ends from compared_base_units group by base
),
own_totals as (
  select id, base, sum(cases) as cases, sum(ends) as ends from compared_own_units group by id, base
)
select
  o.id, o.base, t.units, o.cases as own_cases, o.ends as own_ends,
  o.cases / t.cases as part, t.ends / t.cases as rate, t.cases as all_cases
from own_totals o
join totals t on t.base = o.base
