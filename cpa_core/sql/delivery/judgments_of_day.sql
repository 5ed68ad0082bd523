-- The judgments of these conversations of a day (a JSON array of ids) with what their payload needs.
with wanted as (
  select unnest(from_json($conversations::json, '["varchar"]')) as conversation_id
)
select
  j.day, j.conversation_id, r.user_id, j.score, j.because, j.verdicts, j.dealbreakers, r.ended_at,
  j.schema_version, j.model, j.intent, j.intent_delivered, r.metadata::varchar as conversation_metadata
from judge_scores j
join wanted w on w.conversation_id = j.conversation_id
join raw_conversations r on r.day = j.day and r.conversation_id = j.conversation_id
where j.day = $day and j.outcome = 'ok'
order by r.ended_at, j.conversation_id
