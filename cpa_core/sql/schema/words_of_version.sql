-- What are the words of this version of the schema?
select yaml, origin from event_schemas where version = $version
