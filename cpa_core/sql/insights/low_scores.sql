-- How did the scored conversations end, by unit and length, and those with each kind of event? Part 0 is all of them.
-- A layer is a band of length, from 1 on.
create or replace temp table compared_rows as
with met as (
  select distinct n, kind from chosen_events
  union all
  select n, 0 as kind from chosen
)
select
  m.kind::bigint as part, c.unit, list_position([1, 3, 5, 7, 10, 15, 20, 30, 50], c.length_from) as layer,
  count(*)::double as cases,
  (count(*) filter (where c.is_bad))::double as ends,
  sum(c.score)::double as score_sum
from met m
join chosen c on c.n = m.n
where c.score is not null and c.tag_outcome = 'ok'
group by all
