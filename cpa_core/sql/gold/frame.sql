-- Which conversations began from $first to $last (all where null), was each drawn at random before, and how many people
-- have read it?
select
  r.day, r.conversation_id,
  r.conversation_id in (
    select conversation_id from gold_draws where way in ('random', 'imported')
  ) as was_drawn,
  coalesce(l.reviewers, 0) as reviewers
from raw_conversations r
left join (
  select conversation_id, count(distinct reviewer) as reviewers from gold_labels group by conversation_id
) as l on l.conversation_id = r.conversation_id
where ($first::date is null or r.day >= $first::date) and ($last::date is null or r.day <= $last::date)
order by r.day, r.conversation_id
