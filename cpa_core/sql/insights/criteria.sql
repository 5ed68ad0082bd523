-- How often was each goal met, partly met, missed, or not to be told, in all or on each day?
with verdicts as (
  select c.day, j.schema_version, unnest(map_entries(j.verdicts::map(varchar, json))) as entry
  from chosen c
  join judge_scores j on j.day = c.day and j.conversation_id = c.conversation_id
  where c.judge_outcome = 'ok'
)
select
  case when $by_day then v.day end as day,
  v.entry.key as criterion,
  coalesce(k.words, '') as words,
  count(*) filter (where v.entry.value ->> '$.verdict' = 'met') as met,
  count(*) filter (where v.entry.value ->> '$.verdict' = 'partly') as partly,
  count(*) filter (where v.entry.value ->> '$.verdict' = 'missed') as missed,
  count(*) filter (where v.entry.value ->> '$.verdict' = 'cannot tell') as cannot_tell
from verdicts v
left join known_criteria k on k.schema_version = v.schema_version and k.criterion = v.entry.key
group by all
order by day, criterion, words
