-- Which versions of the schema begin with this name?
select version, yaml, origin from event_schemas where starts_with(version, $name)
