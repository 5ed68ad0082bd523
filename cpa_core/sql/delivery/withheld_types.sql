-- Which types are withheld from this day's delivery?
select role, event_type from withheld_labels where day = $day
