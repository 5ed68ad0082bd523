-- Which cases has each comparison of its own, by unit and layer? The sums of its parts of `compared_rows`, with signs.
-- The rows of one part are sums by unit and layer as they are; only several parts are added up.
create or replace temp table compared_own as
with asked as (
  select id, part, sign, count(*) over (partition by id) = 1 as is_alone
  from (select unnest($ids::integer[]) as id, unnest($parts::bigint[]) as part, unnest($signs::integer[]) as sign)
)
select
  a.id, r.unit, r.layer, r.cases, case when $measure = 'score_sum' then r.score_sum else r.ends end as ends
from asked a
join compared_rows r on r.part = a.part
where a.is_alone and a.sign = 1 and r.cases > 0
union all
select
  a.id, r.unit, r.layer, sum(a.sign * r.cases) as cases,
  sum(a.sign * case when $measure = 'score_sum' then r.score_sum else r.ends end) as ends
from asked a
join compared_rows r on r.part = a.part
where not (a.is_alone and a.sign = 1)
group by all
having sum(a.sign * r.cases) > 0
