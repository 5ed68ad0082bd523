-- How much is there in all: conversations, users, messages, events, scores?
select
  count(*) as conversations,
  count(distinct user_id) as users,
  count(user_id) as with_user,
  coalesce(sum(message_count), 0)::bigint as messages,
  coalesce(sum(message_count * message_count), 0)::bigint as message_squares,
  (select count(*) from chosen_events) as events,
  count(*) filter (where tag_outcome = 'ok') as tagged,
  count(*) filter (where judge_outcome = 'ok') as judged,
  count(score) as scored,
  coalesce(sum(score), 0) as score_sum,
  coalesce(sum(score * score), 0) as score_squares,
  count(*) filter (where is_good) as good,
  count(*) filter (where is_bad) as bad,
  count(*) filter (where has_dealbreaker) as with_dealbreaker
from chosen
