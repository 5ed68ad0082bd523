-- Why is the day due?
update days set reason = $reason where day = $day
