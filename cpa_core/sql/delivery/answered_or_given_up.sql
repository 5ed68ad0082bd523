-- How many questions about the day's conversations were answered well, and how many were given up?
-- ($ways: as in status/due_days.)
with results as (
  select 'tag' as task, day, conversation_id, content_hash, outcome from tagged_conversations where day = $day
  union all
  select 'judge' as task, day, conversation_id, content_hash, outcome from judge_scores where day = $day
)
select
  count(*) filter (where s.outcome = 'ok') as answered,
  count(*) filter (where g.task is not null and s.outcome <> 'ok') as given_up
from results s
join raw_conversations r
  on r.day = s.day and r.conversation_id = s.conversation_id and r.content_hash = s.content_hash
left join unusable_answers g
  on g.task = s.task and g.conversation_id = s.conversation_id and g.content_hash = s.content_hash
  and g.is_final and coalesce(list_contains($ways::varchar[], g.way), true)
