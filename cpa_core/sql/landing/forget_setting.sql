-- The setting is written anew.
delete from settings_fixed where name = $name
