-- Which final answers do we hold to these questions, or about these conversations?
select request_hash, outcome, answer, detail, cost, prompt_tokens, cached_tokens, cache_write_tokens, completion_tokens
from answers
where outcome in ('ok', 'refused', 'filtered')
  and (
    list_contains($hashes::varchar[], request_hash)
    or list_contains($conversations::varchar[], conversation_id)
  )
order by created_at, answer_id
