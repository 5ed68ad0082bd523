-- Which final answers do we hold to these questions, or about these conversations?
select request_hash, outcome, answer, detail, cost, prompt_tokens, cached_tokens, cache_write_tokens, completion_tokens
from answers
where outcome in ('ok', 'refused', 'filtered')
  and (
    request_hash in (select unnest($hashes::json::varchar[]))
    or conversation_id in (select unnest($conversations::json::varchar[]))
  )
order by created_at, answer_id
