-- The lake was vacuumed now.
insert into settings_fixed values ('vacuumed_at', now()::varchar)
