-- How much is there in all: conversations, users, messages, events, scores?
with parts as (
  select
    unit,
    count(*) as conversations,
    sum(message_count) as messages,
    count(*) filter (where tag_outcome = 'ok') as tagged,
    count(*) filter (where judge_outcome = 'ok') as judged,
    count(score) as scored,
    coalesce(sum(score), 0) as score_sum,
    count(*) filter (where is_good) as good,
    count(*) filter (where is_bad) as bad,
    count(*) filter (where has_dealbreaker) as with_dealbreaker
  from chosen
  group by unit
),
totalled as (
  select
    *, sum(conversations) over () as all_conversations, sum(scored) over () as all_scored,
    sum(judged) over () as all_judged, sum(tagged) over () as all_tagged
  from parts
)
select
  coalesce(sum(conversations), 0)::bigint as conversations,
  (select count(distinct user_id) from chosen) as users,
  (select count(user_id) from chosen) as with_user,
  coalesce(sum(messages), 0)::bigint as messages,
  (select count(*) from chosen_events) as events,
  coalesce(sum(tagged), 0)::bigint as tagged,
  coalesce(sum(judged), 0)::bigint as judged,
  coalesce(sum(scored), 0)::bigint as scored,
  coalesce(sum(score_sum), 0) as score_sum,
  coalesce(sum(good), 0)::bigint as good,
  coalesce(sum(bad), 0)::bigint as bad,
  coalesce(sum(with_dealbreaker), 0)::bigint as with_dealbreaker,
  by_unit(tagged, tagged, all_tagged, tagged) as of_tagged,
  by_unit(messages, conversations, all_conversations, conversations) as of_messages,
  by_unit(score_sum, scored, all_scored, scored) as of_score,
  by_unit(good, scored, all_scored, scored) as of_good,
  by_unit(bad, scored, all_scored, scored) as of_bad,
  by_unit(with_dealbreaker, judged, all_judged, judged) as of_dealbreaker
from totalled
