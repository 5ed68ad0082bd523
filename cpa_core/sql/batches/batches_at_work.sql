-- Which batches are not done with, oldest first? Of a task and a day, or of all where these are null.
select
  batch_key, batch_id, provider, model, task, day, state, submitted_at, detail,
  coalesce(done, 0) as done, len(request_hashes) as questions, coalesce(retag, true) as retag
from batches
where state in ('submitting', 'submitted', 'ended', 'stored', 'held', 'refused')
  and ($task is null or task = $task)
  and ($day is null or day = $day)
order by submitted_at, batch_key
