-- Which events followed which most often, on each of these days? Null is the beginning or the end.
select day, from_event as earlier, to_event as later, times
from insight_transitions
where list_contains($days::date[], day)
qualify row_number() over (partition by day order by times desc, from_event, to_event) <= $most
order by day, times desc, earlier, later
