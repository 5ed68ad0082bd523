-- How often was each dealbreaker hit, in all or on each day?
with findings as (
  select c.day, c.unit, j.schema_version, unnest(map_entries(j.dealbreakers::map(varchar, json))) as entry
  from chosen c
  join judge_scores j on j.day = c.day and j.conversation_id = c.conversation_id
  where c.judge_outcome = 'ok'
),
parts as (
  select
    case when $by_day then f.day end as day, f.entry.key as criterion, coalesce(k.words, '') as words, f.unit,
    count(*) as judged,
    count(*) filter (where f.entry.value ->> '$.hit' = 'true') as hit
  from findings f
  left join known_criteria k on k.schema_version = f.schema_version and k.criterion = f.entry.key
  group by all
)
select
  day, criterion, words,
  sum(judged)::bigint as judged,
  sum(hit)::bigint as hit,
  by_unit(hit, judged, all_judged, judged) as of_judged
from (select *, sum(judged) over (partition by day, criterion, words) as all_judged from parts)
group by day, criterion, words
order by day, criterion, words
