-- Which messages that were drawn by doubt have people read, in the order in which they were drawn, and what do they say?
select
  d.draw_id, d.label, d.first_day, d.last_day, d.frame, d.mean_believed, d.place, d.believed, d.chance, g.present
from gold_draws d
join gold_now g
  on g.kind = 'event' and g.key = d.label and g.conversation_id = d.conversation_id and g.message_id = d.message_id
where d.way = 'doubt' and g.present is not null
order by d.draw_id, d.place
