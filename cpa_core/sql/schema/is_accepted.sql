-- Was this version proposed, and accepted?
select proposed, accepted_at from event_schemas where version = $version
