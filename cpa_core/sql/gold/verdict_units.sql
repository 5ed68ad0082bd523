-- What do people and the judge say of each criterion and dealbreaker in each labelled conversation?
with judged as (
  select j.conversation_id, j.schema_version, j.prompt_id, j.model, j.verdicts, j.dealbreakers
  from judge_scores j
  join raw_conversations r
    on r.day = j.day and r.conversation_id = j.conversation_id and r.content_hash = j.content_hash
  where j.outcome = 'ok' and j.conversation_id in (select conversation_id from gold_now)
),
said as (
  select conversation_id, schema_version, prompt_id, model,
    entry.key as criterion, entry.value ->> '$.verdict' as verdict
  from (select *, unnest(map_entries(verdicts::map(varchar, json))) as entry from judged)
  union all
  select conversation_id, schema_version, prompt_id, model, entry.key,
    case when (entry.value ->> '$.hit')::boolean then 'hit' else 'not hit' end
  from (select *, unnest(map_entries(dealbreakers::map(varchar, json))) as entry from judged)
),
by_words as (
  select s.*, k.words
  from said s
  join known_criteria k on k.schema_version = s.schema_version and k.criterion = s.criterion
)
select
  g.kind, g.key, g.conversation_id, g.part, g.day, g.user_id, g.present, g.verdict as by_people, g.draws,
  w.verdict as by_judge, w.schema_version, w.prompt_id, w.model, c.n
from gold_now g
left join by_words w on w.conversation_id = g.conversation_id and w.words = g.key
left join chosen c on c.conversation_id = g.conversation_id
where g.kind in ('criterion', 'dealbreaker')
order by g.kind, g.key, g.conversation_id
