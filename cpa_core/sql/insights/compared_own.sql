-- Which cases has each comparison of its own, by unit and layer? The sums of its parts of `compared_rows`, with signs.
-- The rows of one part are sums by unit and layer as they are: they are read where they stand, and only several parts
-- are added up.
create or replace temp view compared_own as
select a.id, r.unit, r.layer, r.cases, case when a.is_score then r.score_sum else r.ends end as ends
from compared_asked a
join compared_rows r on r.part = a.part
where a.is_alone and r.cases > 0
union all
select
  a.id, r.unit, r.layer, sum(a.sign * r.cases) as cases,
  sum(a.sign * case when a.is_score then r.score_sum else r.ends end) as ends
from compared_asked a
join compared_rows r on r.part = a.part
where not a.is_alone
group by a.id, r.unit, r.layer
having sum(a.sign * r.cases) > 0
