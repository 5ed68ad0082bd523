-- Which touched conversations have rows of several objects, or rows that did not count? Only there is anything to settle.
create or replace temp table shared as
select conversation_id
from landed_messages
where conversation_id in (select conversation_id from touched)
group by conversation_id
having min(uri) <> max(uri) or count(superseded_at) > 0
