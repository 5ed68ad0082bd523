-- What was the home's setting?
select value from settings_fixed where name = $name
