-- Which questions did batches of a task leave unanswered, and how many of them?
with asked as (
  select unnest(request_hashes) as request_hash
  from batches
  where state in ('stored', 'used') and unanswered > 0 and task = $task
)
select b.request_hash, count(*) as tries
from asked b
left join answers a
  on a.request_hash = b.request_hash and (a.lane = 'batch' or a.outcome in ('ok', 'refused', 'filtered'))
where a.request_hash is null
group by b.request_hash
