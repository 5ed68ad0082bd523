-- Which answers do we hold to these questions, or about these conversations? Those that are final, and what a batch
-- brought that is of use once: an answer cut off, or one to be repaired, is not paid for again.
select
  request_hash, outcome, answer, detail, cost, lane, prompt_tokens, cached_tokens, cache_write_tokens, completion_tokens
from answers
where (outcome in ('ok', 'refused', 'filtered') or (lane = 'batch' and outcome in ('truncated', 'invalid')))
  and (
    request_hash in (select unnest(from_json($hashes::json, '["varchar"]')))
    or conversation_id in (select unnest(from_json($conversations::json, '["varchar"]')))
  )
order by created_at, answer_id
