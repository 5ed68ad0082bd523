-- The day was built from all that has landed of it.
update days set built_generation = generation where day = $day
