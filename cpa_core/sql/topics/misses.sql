-- Why were criteria missed or met in part, in the judge's words, in conversations that are judged as they are now?
with verdicts as (
  select j.day, j.conversation_id, unnest(map_entries(j.verdicts::map(varchar, json))) as entry
  from judge_scores j
  join raw_conversations c
    on c.day = j.day and c.conversation_id = j.conversation_id and c.content_hash = j.content_hash
  where j.outcome = 'ok'
)
select day, conversation_id, entry.key as place, entry.value ->> '$.because' as text
from verdicts
where entry.value ->> '$.verdict' in ('missed', 'partly') and trim(coalesce(entry.value ->> '$.because', '')) <> ''
order by day, conversation_id, place
