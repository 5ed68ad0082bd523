-- Which proposals wait to be accepted, the first first?
select version from event_schemas where proposed and accepted_at is null order by created_at
