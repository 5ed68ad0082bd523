-- What do the tagger and the judge say of the conversations that people labelled, and by which schema, prompt and model?
-- One row for each label that is there, and one with no label where there is none. $ids limits them, null for all.
with asked as (
  select distinct conversation_id
  from gold_labels
  where $ids::json is null or conversation_id in (select unnest(from_json($ids::json, '["varchar"]')))
),
tagged as (
  select t.day, t.conversation_id, t.content_hash, t.schema_version, t.prompt_id, t.model
  from tagged_conversations t
  join raw_conversations r
    on r.day = t.day and r.conversation_id = t.conversation_id and r.content_hash = t.content_hash
  where t.outcome = 'ok' and t.conversation_id in (select conversation_id from asked)
),
judged as (
  select j.conversation_id, j.content_hash, j.schema_version, j.prompt_id, j.model, j.verdicts, j.dealbreakers
  from judge_scores j
  join raw_conversations r
    on r.day = j.day and r.conversation_id = j.conversation_id and r.content_hash = j.content_hash
  where j.outcome = 'ok' and j.conversation_id in (select conversation_id from asked)
)
select
  'tag' as task, t.conversation_id, t.content_hash, t.schema_version, t.prompt_id, t.model,
  e.schema_version as made_by, e.role, e.event_type as label, e.message_id as said
from tagged t
left join tagged_events e on e.day = t.day and e.conversation_id = t.conversation_id
union all
select
  'judge', conversation_id, content_hash, schema_version, prompt_id, model, schema_version, null,
  entry.key, entry.value ->> '$.verdict'
from (select *, unnest(map_entries(verdicts::map(varchar, json))) as entry from judged)
union all
select
  'judge', conversation_id, content_hash, schema_version, prompt_id, model, schema_version, null,
  entry.key, case when (entry.value ->> '$.hit')::boolean then 'hit' else 'not hit' end
from (select *, unnest(map_entries(dealbreakers::map(varchar, json))) as entry from judged)
order by all
