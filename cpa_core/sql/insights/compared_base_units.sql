-- Which cases are compared with each other, by unit? The bases, all layers together.
create or replace temp table compared_base_units as
select *, sum(cases) over (partition by base) as all_cases
from (select base, unit, sum(cases) as cases, sum(ends) as ends from compared_base group by base, unit)
