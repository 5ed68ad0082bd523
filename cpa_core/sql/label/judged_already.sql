-- Which conversations of the day are judged for good, as they are now, and by which schema, prompt and model?
-- ($way is how the others would be asked now: what was given up in this way is done.)
select r.conversation_id, t.schema_version, t.prompt_id, t.model
from raw_conversations r
join judge_scores t
  on t.day = r.day and t.conversation_id = r.conversation_id and t.content_hash = r.content_hash
left join unusable_answers g
  on g.task = 'judge' and g.conversation_id = r.conversation_id and g.content_hash = r.content_hash
  and g.is_final and g.way = $way
where r.day = $day and (t.outcome in ('ok', 'refused', 'filtered') or g.task is not null)
