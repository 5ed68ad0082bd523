-- How much was there on each day: conversations, users, messages, events, scores?
with events as (select day, count(*) as events from chosen_events group by day),
parts as (
  select
    day, unit,
    count(*) as conversations,
    count(distinct user_id) as users,
    sum(message_count) as messages,
    sum(message_count * message_count) as message_squares,
    count(*) filter (where tag_outcome = 'ok') as tagged,
    count(*) filter (where judge_outcome = 'ok') as judged,
    count(score) as scored,
    coalesce(sum(score), 0) as score_sum,
    coalesce(sum(score * score), 0) as score_squares,
    count(*) filter (where is_good) as good,
    count(*) filter (where is_bad) as bad,
    count(*) filter (where has_dealbreaker) as with_dealbreaker
  from chosen
  group by day, unit
),
totalled as (
  select
    *, sum(conversations) over of_day as all_conversations, sum(scored) over of_day as all_scored,
    sum(judged) over of_day as all_judged
  from parts
  window of_day as (partition by day)
)
select
  t.day,
  sum(t.conversations)::bigint as conversations,
  sum(t.users)::bigint as users,
  sum(t.messages)::bigint as messages,
  sum(t.message_squares)::bigint as message_squares,
  coalesce(any_value(e.events), 0) as events,
  sum(t.tagged)::bigint as tagged,
  sum(t.judged)::bigint as judged,
  sum(t.scored)::bigint as scored,
  sum(t.score_sum) as score_sum,
  sum(t.score_squares) as score_squares,
  sum(t.good)::bigint as good,
  sum(t.bad)::bigint as bad,
  sum(t.with_dealbreaker)::bigint as with_dealbreaker,
  by_unit(t.messages, t.conversations, t.all_conversations, t.conversations) as of_messages,
  by_unit(t.score_sum, t.scored, t.all_scored, t.scored) as of_score,
  by_unit(t.good, t.scored, t.all_scored, t.scored) as of_good,
  by_unit(t.bad, t.scored, t.all_scored, t.scored) as of_bad,
  by_unit(t.with_dealbreaker, t.judged, t.all_judged, t.judged) as of_dealbreaker
from totalled t
left join events e on e.day = t.day
group by t.day
order by t.day
