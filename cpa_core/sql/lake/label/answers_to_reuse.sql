-- Which answers do we hold to these questions, or about these conversations? Those that are final, and what a batch
-- brought that is of use once. (Postgres)
select
  request_hash, outcome, answer, detail, cost, lane, prompt_tokens, cached_tokens, cache_write_tokens, completion_tokens
from answers
where (outcome in ('ok', 'refused', 'filtered') or (lane = 'batch' and outcome in ('truncated', 'invalid')))
  and (
    request_hash = any(array(select json_array_elements_text($hashes::json)))
    or conversation_id = any(array(select json_array_elements_text($conversations::json)))
  )
order by created_at, answer_id
