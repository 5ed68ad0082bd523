-- Which cases has each comparison of its own, by unit and layer? The sums of its parts of `compared_rows`, with signs.
create or replace temp table compared_own as
with asked as (
  select unnest($ids::integer[]) as id, unnest($parts::bigint[]) as part, unnest($signs::integer[]) as sign
)
select
  a.id, r.unit, case when $by_layer then r.layer else 1 end as layer,
  sum(a.sign * r.cases) as cases,
  sum(a.sign * case when $measure = 'score_sum' then r.score_sum else r.ends end) as ends
from asked a
join compared_rows r on r.part = a.part
group by all
having sum(a.sign * r.cases) > 0
