-- After how many turns of the user did conversations end, on each of these days?
select day, turns, conversations
from insight_turns
where list_contains($days::date[], day)
order by day, turns
