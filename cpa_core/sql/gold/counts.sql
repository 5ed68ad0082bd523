-- How many reviews are there of each queue and part, by how many people, of how many conversations?
select
  queue, part, count(distinct review_id) as reviews, count(distinct reviewer) as reviewers,
  count(distinct conversation_id) as conversations, max(reviewed_at) as last_reviewed_at
from gold_labels
group by queue, part
order by queue, part
