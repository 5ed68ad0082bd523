-- Which steps do conversations take, by the paths of one, two or three events that end with them? Path 0 is every step.
-- A path of the kinds a, b and c has the number (a x $radix + b) x $radix + c, with 0 for no kind. Rare paths are left out.
create or replace temp table path_steps as
with steps as (
  select e.n, c.unit, e.before_that, e.before, e.kind, least(e.position // 2, 11) + 1 as layer,
    e.after is null as has_ended, c.score is not null as is_scored, coalesce(c.is_good, false) as is_good
  from chosen_events e
  join chosen c on c.n = e.n
  where e.ends_message
),
paths as (
  select 0::bigint as part, * from steps
  union all
  select kind, * from steps
  union all
  select before::bigint * $radix + kind, * from steps where before is not null
  union all
  select (before_that::bigint * $radix + before) * $radix + kind, * from steps where before_that is not null
)
select *
from paths
where part in (select part from paths group by part having count(*) >= $enough)
