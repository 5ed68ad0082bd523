-- Which kinds of event occur, by the numbers they have in this selection?
select kind, role, event_type from chosen_kinds order by kind
