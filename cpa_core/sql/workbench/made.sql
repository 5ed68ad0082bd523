-- By which model and schema was this conversation tagged and judged, and what did that cost in US dollars?
select
  t.model, t.schema_version, t.outcome, t.cost, t.tagged_at,
  j.model as judge_model, j.schema_version as judge_schema_version, j.cost as judge_cost
from raw_conversations r
left join tagged_conversations t on t.day = r.day and t.conversation_id = r.conversation_id
left join judge_scores j on j.day = r.day and j.conversation_id = r.conversation_id
where r.conversation_id = $conversation
