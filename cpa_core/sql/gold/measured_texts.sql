-- What was said in the messages that people labelled and that measure?
select distinct l.conversation_id, m.content
from gold_labels l
join raw_conversations r on r.conversation_id = l.conversation_id
join messages m on m.day = r.day and m.conversation_id = l.conversation_id and m.message_id = l.message_id
where l.part = 'measure'
