-- Which days have labels by any of these versions of the schema?
select distinct day, schema_version as version
from (
  select day, schema_version from tagged_conversations
  union all
  select day, schema_version from judge_scores
)
where list_contains($versions::varchar[], schema_version)
order by day, version
