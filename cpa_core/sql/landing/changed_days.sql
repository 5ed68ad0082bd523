-- On which days is a touched conversation other than it was? Both days of one that moved.
with before as (
  select * from landed_conversations where conversation_id in (select conversation_id from touched)
)
select distinct day
from ((from before except from now_so) union all (from now_so except from before))
order by day
