-- How many messages were drawn by doubt for this label and read?
select count(*) as messages
from (select distinct conversation_id, message_id from gold_draws where way = 'doubt' and label = $key) d
join (select distinct conversation_id, message_id from gold_labels where key = $key) l
  on l.conversation_id = d.conversation_id and l.message_id = d.message_id
