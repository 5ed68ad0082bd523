-- How was this conversation judged?
select j.score, j.because, j.verdicts, j.dealbreakers, j.outcome, j.schema_version, j.intent, j.intent_delivered, j.intent_position,
  j.intent_quote
from judge_scores j
join raw_conversations r on r.day = j.day and r.conversation_id = j.conversation_id
where j.conversation_id = $conversation
