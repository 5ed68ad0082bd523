-- Which cases are compared with each other, by unit and layer? Bases, each the sums of its parts, with signs.
create or replace temp table compared_base as
with asked as (
  select unnest($ids::integer[]) as base, unnest($parts::bigint[]) as part, unnest($signs::integer[]) as sign
)
select
  a.base, r.unit, r.layer,
  sum(a.sign * r.cases) as cases,
  sum(a.sign * case when $measure = 'score_sum' then r.score_sum else r.ends end) as ends
from asked a
join compared_rows r on r.part = a.part
group by all
having sum(a.sign * r.cases) > 0
