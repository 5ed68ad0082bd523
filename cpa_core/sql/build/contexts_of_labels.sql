-- Which labels of this day, as its conversations are now, were made from metadata that their schema shows?
select l.made, l.conversation_id, l.schema_version, l.context_hash, s.yaml, s.origin
from (
  select 'tagged_conversations' as made, day, conversation_id, content_hash, schema_version, context_hash
  from tagged_conversations where day = $day and context_hash is not null
  union all
  select 'judge_scores', day, conversation_id, content_hash, schema_version, context_hash
  from judge_scores where day = $day and context_hash is not null
) l
join raw_conversations r
  on r.day = l.day and r.conversation_id = l.conversation_id and r.content_hash = l.content_hash
join event_schemas s on s.version = l.schema_version
