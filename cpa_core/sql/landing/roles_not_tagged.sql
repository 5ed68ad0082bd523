-- How many messages have a role that nobody tags?
select role, count(*) as messages
from landed_messages
where superseded_at is null and not list_contains($known::varchar[], role)
group by role
order by messages desc, role
