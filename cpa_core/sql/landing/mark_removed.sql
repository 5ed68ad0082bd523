-- These objects are gone from the source since then; since null, they are back.
update landed_files set removed_at = $at
where replaced_at is null and list_contains($uris::varchar[], uri)
