-- Which conversations of the day are tagged for good, as they are now, and by which schema, prompt and model?
select r.conversation_id, t.schema_version, t.prompt_id, t.model
from raw_conversations r
join tagged_conversations t
  on t.day = r.day and t.conversation_id = r.conversation_id and t.content_hash = r.content_hash
where r.day = $day and t.outcome in ('ok', 'refused', 'filtered')
