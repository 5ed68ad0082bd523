-- Which conversations were tagged and judged, and may be asked again?
select r.day, r.conversation_id
from raw_conversations r
join tagged_conversations t
  on t.day = r.day and t.conversation_id = r.conversation_id and t.content_hash = r.content_hash
join judge_scores j
  on j.day = r.day and j.conversation_id = r.conversation_id and j.content_hash = r.content_hash
where t.outcome = 'ok' and j.outcome = 'ok'
order by r.day, r.conversation_id
