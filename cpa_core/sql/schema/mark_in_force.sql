-- This version is in force from now on.
update event_schemas set in_force_at = $now where version = $version
