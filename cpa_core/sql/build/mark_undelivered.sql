-- The day's events have changed: they go to every destination again.
update days set delivered_to = [] where day = $day
