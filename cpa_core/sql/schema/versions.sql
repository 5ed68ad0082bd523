-- Which versions of the schema were in force, in the order in which they last came into force? The last one still is.
select
  version,
  first(yaml order by created_at) as yaml,
  first(origin order by created_at) as origin
from event_schemas
group by version
order by max(coalesce(in_force_at, created_at)), min(created_at), version
