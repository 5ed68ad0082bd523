-- Which kinds of event did the chosen conversations have, under their newest names?
create temp table chosen_kinds as
select distinct kind, role, name as event_type
from written_kinds
where kind in (select kind from chosen_events)
