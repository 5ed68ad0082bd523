-- These days have changed, and why.
update days
set generation = generation + 1, reason = $reason
where list_contains($days::date[], day)
