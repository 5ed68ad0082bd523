-- How much was there in each stretch of time: conversations, scores?
select
  s.bucket,
  count(*) as conversations,
  count(c.score) as scored,
  coalesce(sum(c.score), 0) as score_sum,
  coalesce(sum(c.score * c.score), 0) as score_squares,
  count(*) filter (where c.is_bad) as bad,
  sum(c.message_count)::bigint as messages,
  count(distinct c.user_id) as users
from chosen c
join sampled s on s.n = c.n
group by s.bucket
order by s.bucket
