-- Which batches are in an open state, oldest first? Of a task and a day, or of all where these are null.
select
  batch_key, batch_id, provider, model, task, day, state, submitted_at, detail,
  coalesce(done, 0) as done, len(request_hashes) as questions, coalesce(retag, true) as retag
from batches
where list_contains($open::varchar[], state)
  and ($task is null or task = $task)
  and ($day is null or day = $day)
order by submitted_at, batch_key
