-- Which of the touched conversations are known by a user's id alone and go on for more than a day?
select
  c.conversation_id,
  cast(c.started_at at time zone $zone as date) as first,
  cast(c.ended_at at time zone $zone as date) as last
from landed_conversations c
where c.conversation_id in (select conversation_id from touched)
  and cast(c.started_at at time zone $zone as date) < cast(c.ended_at at time zone $zone as date)
  and exists (
    select 1 from landed_messages m where m.conversation_id = c.conversation_id and m.by_user
  )
order by c.conversation_id
