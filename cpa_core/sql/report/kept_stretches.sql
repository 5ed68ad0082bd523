-- How much was there in each stretch of time that is not here any more, by the sums of its days: conversations, scores?
with here as (
  select
    day, count(*) as conversations, count(distinct user_id) as users, sum(message_count) as messages,
    count(score) as scored, coalesce(sum(score), 0) as score_sum, coalesce(sum(score * score), 0) as score_squares,
    count(*) filter (where is_bad) as bad
  from chosen
  group by day
)
select
  date_trunc($unit, k.day)::date as bucket,
  sum(k.conversations - coalesce(h.conversations, 0))::bigint as conversations,
  sum(k.users - coalesce(h.users, 0))::bigint as users,
  sum(k.messages - coalesce(h.messages, 0))::bigint as messages,
  sum(k.scored - coalesce(h.scored, 0))::bigint as scored,
  sum(k.score_sum - coalesce(h.score_sum, 0))::double as score_sum,
  sum(k.score_squares - coalesce(h.score_squares, 0))::double as score_squares,
  sum(k.bad - coalesce(h.bad, 0))::bigint as bad
from insight_days k
left join here h on h.day = k.day
where k.day in (select unnest(from_json($days::json, '["date"]')))
group by bucket
order by bucket
