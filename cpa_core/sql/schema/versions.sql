-- Which versions of the schema were in force, in the order in which they last came into force? The last one still is.
select
  version,
  arg_min(yaml, created_at) as yaml,
  arg_min(origin, created_at) as origin
from event_schemas
group by version
order by max(coalesce(in_force_at, created_at)), min(created_at), version
