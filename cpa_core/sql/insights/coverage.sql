-- How much of each day has been tagged and judged, and what was refused or failed?
with covered as (
  select day, count(distinct (n, position)) as messages_with_event, count(*) as events from chosen_events group by day
)
select
  c.day,
  count(*) as conversations,
  count(*) filter (where c.tag_outcome = 'ok') as tagged,
  count(*) filter (where c.judge_outcome = 'ok') as judged,
  count(c.score) as scored,
  count(*) filter (where c.tag_outcome in ('refused', 'filtered') or c.judge_outcome in ('refused', 'filtered'))
    as refused,
  sum(c.message_count)::bigint as messages,
  coalesce(any_value(e.messages_with_event), 0) as messages_with_event
from chosen c
left join covered e on e.day = c.day
group by c.day
order by c.day
