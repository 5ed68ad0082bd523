-- Which schemas are kept?
select version, yaml from event_schemas order by created_at
