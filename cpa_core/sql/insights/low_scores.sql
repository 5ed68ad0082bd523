-- How did conversations with each kind of event end, beside all others of about their length? Kind null is all.
with met as (
  select distinct n, kind from chosen_events
  union all
  select n, null from chosen
)
select
  m.kind, c.length_from,
  count(*) as scored,
  count(*) filter (where c.is_bad) as bad,
  sum(c.score) as score_sum,
  sum(c.score * c.score) as score_squares
from met m
join chosen c on c.n = m.n
where c.score is not null and c.tag_outcome = 'ok'
group by m.kind, c.length_from
order by m.kind, c.length_from
