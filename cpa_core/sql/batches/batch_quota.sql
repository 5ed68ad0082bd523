-- What of a model is at work, and what was refused since because too much was enqueued? Of what was refused alone: the
-- smallest file, and the third smallest of one question.
select
  count(*) filter (where list_contains($at_vendor::varchar[], state)) as at_work,
  count(*) filter (where state = 'crowded' and ended_at > $since) as refused,
  min(bytes) filter (where state = 'crowded' and ended_at > $since and alone) as smallest,
  list_sort(
    list(bytes) filter (where state = 'crowded' and ended_at > $since and alone and len(request_hashes) = 1)
  )[$tries] as single
from batches
where provider = $provider and model = $model
