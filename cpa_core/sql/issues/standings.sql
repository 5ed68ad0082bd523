-- How did each issue stand on the last day that was followed before a day?
with last as (
  select issue_id, max(day) as day from issue_days where day < $before group by issue_id
)
select d.issue_id, d.state, d.since, d.told_on, d.last_found, d.share_there
from last l
join issue_days d on d.issue_id = l.issue_id and d.day = l.day
order by d.issue_id
