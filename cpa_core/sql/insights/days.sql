-- How much was there on each day: conversations, users, messages, events, scores?
with events as (select day, count(*) as events from chosen_events group by day)
select
  c.day,
  count(*) as conversations,
  count(distinct c.user_id) as users,
  sum(c.message_count)::bigint as messages,
  sum(c.message_count * c.message_count)::bigint as message_squares,
  coalesce(any_value(e.events), 0) as events,
  count(*) filter (where c.tag_outcome = 'ok') as tagged,
  count(*) filter (where c.judge_outcome = 'ok') as judged,
  count(c.score) as scored,
  coalesce(sum(c.score), 0) as score_sum,
  coalesce(sum(c.score * c.score), 0) as score_squares,
  count(*) filter (where c.is_good) as good,
  count(*) filter (where c.is_bad) as bad,
  count(*) filter (where c.has_dealbreaker) as with_dealbreaker
from chosen c
left join events e on e.day = c.day
group by c.day
order by c.day
