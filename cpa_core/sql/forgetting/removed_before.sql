-- Was what is older than this day removed already?
select 1 as removed from retention where before = $before
