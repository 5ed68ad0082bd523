-- What was answered to this question: the newest final answer, or else the newest that had to be repaired? (Postgres)
select outcome, answer, detail, cost, lane, prompt_tokens, cached_tokens, cache_write_tokens, completion_tokens
from answers
where request_hash = $hash and outcome in ('ok', 'refused', 'filtered', 'invalid')
order by outcome = 'invalid', created_at desc, answer_id desc
limit 1
