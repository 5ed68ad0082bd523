-- How long are conversations, in messages and minutes, and how do they end?
select
  length_from,
  count(*) as conversations,
  count(score) as scored,
  count(*) filter (where is_bad) as bad,
  median(epoch(ended_at) - epoch(started_at)) filter (where not time_assumed) / 60 as median_minutes
from chosen
group by length_from
order by length_from
