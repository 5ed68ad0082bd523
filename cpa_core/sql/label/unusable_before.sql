-- On which conversations of the day did a task fail before, and how often did that count in this way of asking?
select
  r.conversation_id, r.content_hash, u.outcome, coalesce(u.counted, 0) as counted, u.counted_at,
  coalesce(u.is_final, false) as is_final
from raw_conversations r
left join (select distinct conversation_id from failures where day = $day and stage = $task) f
  on f.conversation_id = r.conversation_id
left join unusable_answers u
  on u.task = $task and u.conversation_id = r.conversation_id and u.content_hash = r.content_hash and u.way = $way
where r.day = $day and (f.conversation_id is not null or u.task is not null)
