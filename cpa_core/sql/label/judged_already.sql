-- Which conversations of the day are judged for good, as they are now, and by which schema, prompt and model?
select r.conversation_id, t.schema_version, t.prompt_id, t.model
from raw_conversations r
join judge_scores t
  on t.day = r.day and t.conversation_id = r.conversation_id and t.content_hash = r.content_hash
where r.day = $day and t.outcome in ('ok', 'refused', 'filtered')
