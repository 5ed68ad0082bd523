-- How many messages and conversations of the selection does the tagger give each event type?
with met as (select distinct n, position, kind from chosen_events)
select k.role, k.event_type, count(*) as messages, count(distinct m.n) as conversations
from met m
join chosen_kinds k on k.kind = m.kind
group by k.role, k.event_type
