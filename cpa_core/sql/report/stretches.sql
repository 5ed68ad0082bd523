-- How much was there in each stretch of time: conversations, scores?
with parts as (
  select
    s.bucket, c.unit,
    count(*) as conversations,
    count(c.score) as scored,
    coalesce(sum(c.score), 0) as score_sum,
    count(*) filter (where c.is_bad) as bad,
    sum(c.message_count) as messages,
    count(distinct c.user_id) as users
  from chosen c
  join sampled s on s.n = c.n
  group by s.bucket, c.unit
)
select
  bucket,
  sum(conversations)::bigint as conversations,
  sum(messages)::bigint as messages,
  sum(users)::bigint as users,
  by_unit(score_sum, scored, all_scored, scored) as of_score,
  by_unit(bad, scored, all_scored, scored) as of_bad
from (select *, sum(scored) over (partition by bucket) as all_scored from parts)
group by bucket
order by bucket
