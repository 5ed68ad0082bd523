-- When did the last conversation of each day end, so far?
select day, max(ended_at) as ended_at
from landed_conversations
group by day
