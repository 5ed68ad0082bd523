-- What did users want, in the judge's words, in conversations that are judged as they are now?
select j.day, j.conversation_id, '' as place, j.intent as text
from judge_scores j
join raw_conversations c
  on c.day = j.day and c.conversation_id = j.conversation_id and c.content_hash = j.content_hash
where j.outcome = 'ok' and trim(coalesce(j.intent, '')) <> ''
order by j.day, j.conversation_id
