-- How does each issue stand on the last day that was followed, and what do people say of it?
with last as (
  select issue_id, max(day) as day from issue_days group by issue_id
)
select i.*, d.*
exclude (issue_id)
from issues i
join last l on l.issue_id = i.issue_id
join issue_days d on d.issue_id = l.issue_id and d.day = l.day
order by i.status in ('accepted', 'not an issue'), d.state = 'gone', d.share desc, i.issue_id
