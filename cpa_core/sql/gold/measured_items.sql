-- What do people say of each message and conversation of the measuring part, apart from what was drawn for its doubt?
select kind, key, conversation_id, message_id, user_id, present
from gold_now
where part = 'measure' and present is not null and not (kind = 'event' and is_chosen_for_doubt)
order by all
