-- What are the words of these versions of the schema?
select version, yaml, origin from event_schemas where list_contains($versions::varchar[], version)
