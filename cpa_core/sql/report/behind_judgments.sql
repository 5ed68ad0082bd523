-- Which conversations are behind the figures on goals and dealbreakers?
with judgments as (
  select c.n, j.schema_version, j.verdicts, j.dealbreakers
  from chosen c
  join judge_scores j on j.day = c.day and j.conversation_id = c.conversation_id
  where c.judge_outcome = 'ok'
),
entries as (
  select n, schema_version, unnest(map_entries(verdicts::map(varchar, json))) as entry from judgments
  union all
  select n, schema_version, unnest(map_entries(dealbreakers::map(varchar, json))) from judgments
),
found as (
  select e.n, e.schema_version, e.entry.key as criterion,
    coalesce(e.entry.value ->> '$.verdict', case when e.entry.value ->> '$.hit' = 'true' then 'hit' end) as verdict
  from entries e
)
select f.criterion, coalesce(k.words, '') as words, f.verdict, count(*) as total, min(s.place, $most) as places
from found f
join sampled s on s.n = f.n
left join known_criteria k on k.schema_version = f.schema_version and k.criterion = f.criterion
where f.verdict is not null
group by all
