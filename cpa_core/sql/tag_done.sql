-- Which conversations of the day are tagged for good, as they are now, by this schema, prompt and model?
select r.conversation_id
from raw_conversations r
join tagged_conversations t
  on t.day = r.day and t.conversation_id = r.conversation_id and t.content_hash = r.content_hash
where r.day = $day
  and t.schema_version = $schema_version and t.prompt_id = $prompt_id and t.model = $model
  and t.outcome in ('ok', 'refused', 'filtered')
