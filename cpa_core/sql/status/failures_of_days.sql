-- What failed on these days?
select day, stage, conversation_id, reason, detail, retryable, attempts
from failures
where list_contains($days::date[], day)
order by day, stage, conversation_id
