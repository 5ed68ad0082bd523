-- What is known of the conversations that serve as examples?
select s.place, c.n, c.day, c.conversation_id, c.message_count, c.score, c.tag_outcome, c.judge_outcome,
  c.schema_version, c.tag_model, c.tag_prompt, c.judge_schema_version, c.judge_model,
  j.because, j.verdicts, j.dealbreakers, j.intent, j.intent_delivered, j.intent_quote
from chosen c
join sampled s on s.n = c.n
left join judge_scores j on j.day = c.day and j.conversation_id = c.conversation_id and c.judge_outcome = 'ok'
where list_contains($places::bigint[], s.place)
order by s.place
