-- How often was each goal met, partly met, missed, or not to be told, in all or on each day?
with verdicts as (
  select c.day, c.unit, j.schema_version, unnest(map_entries(j.verdicts::map(varchar, json))) as entry
  from chosen c
  join judge_scores j on j.day = c.day and j.conversation_id = c.conversation_id
  where c.judge_outcome = 'ok'
),
named as (
  select
    case when $by_day then v.day end as day, v.unit, v.entry.key as criterion, coalesce(k.words, '') as words,
    v.entry.value ->> '$.verdict' as verdict
  from verdicts v
  left join known_criteria k on k.schema_version = v.schema_version and k.criterion = v.entry.key
),
parts as (
  select
    day, criterion, words, unit,
    count(*) filter (where verdict = 'met') as met,
    count(*) filter (where verdict = 'partly') as partly,
    count(*) filter (where verdict = 'missed') as missed,
    count(*) filter (where verdict = 'cannot tell') as cannot_tell,
    count(*) filter (where verdict in ('met', 'partly', 'missed')) as told
  from named
  group by all
)
select
  day, criterion, words,
  sum(met)::bigint as met,
  sum(partly)::bigint as partly,
  sum(missed)::bigint as missed,
  sum(cannot_tell)::bigint as cannot_tell,
  by_unit(met, told, all_told, told) as of_met,
  by_unit(partly, told, all_told, told) as of_partly,
  by_unit(missed, told, all_told, told) as of_missed
from (select *, sum(told) over (partition by day, criterion, words) as all_told from parts)
group by day, criterion, words
order by day, criterion, words
