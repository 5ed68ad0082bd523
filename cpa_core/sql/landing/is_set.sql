-- Is the home marked so?
select 1 from settings_fixed where name = $name
