-- These versions are accepted.
update event_schemas set accepted_at = $now where list_contains($versions::varchar[], version)
