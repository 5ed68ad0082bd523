-- Which schemas were the events of this day tagged with?
select version, yaml, origin
from event_schemas
where version in (select schema_version from tagged_events where day = $day)
