-- The time of the last vacuum gives way to a newer one.
delete from settings_fixed where name = 'vacuumed_at'
