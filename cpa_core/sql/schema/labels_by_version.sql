-- Which conversations, as they are now, has this version of the schema tagged or judged for good?
select 'tag' as task, r.day, r.conversation_id
from raw_conversations r
join tagged_conversations t
  on t.day = r.day and t.conversation_id = r.conversation_id and t.content_hash = r.content_hash
where t.schema_version = $version and t.outcome in ('ok', 'refused', 'filtered')
union all
select 'judge' as task, r.day, r.conversation_id
from raw_conversations r
join judge_scores j
  on j.day = r.day and j.conversation_id = r.conversation_id and j.content_hash = r.content_hash
where j.schema_version = $version and j.outcome in ('ok', 'refused', 'filtered')
order by all
