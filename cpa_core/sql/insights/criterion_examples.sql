-- Which conversations got each verdict on each goal, or hit each dealbreaker? The lowest scores first.
with findings as (
  select c.n, c.day, c.conversation_id, c.score, j.schema_version,
    unnest(map_entries(j.verdicts::map(varchar, json))) as entry
  from chosen c
  join judge_scores j on j.day = c.day and j.conversation_id = c.conversation_id
  where c.judge_outcome = 'ok'
  union all
  select c.n, c.day, c.conversation_id, c.score, j.schema_version,
    unnest(map_entries(j.dealbreakers::map(varchar, json))) as entry
  from chosen c
  join judge_scores j on j.day = c.day and j.conversation_id = c.conversation_id
  where c.judge_outcome = 'ok'
),
named as (
  select
    f.n, f.day, f.conversation_id, f.score, f.entry.key as criterion, coalesce(k.words, '') as words,
    coalesce(f.entry.value ->> '$.verdict', case when f.entry.value ->> '$.hit' = 'true' then 'hit' end) as verdict
  from findings f
  left join known_criteria k on k.schema_version = f.schema_version and k.criterion = f.entry.key
),
ranked as (
  select *, row_number() over (partition by criterion, words, verdict order by n) as place
  from named
  where verdict is not null
)
select criterion, words, verdict, day, conversation_id, score
from ranked
where place <= $most
order by criterion, words, verdict, place
