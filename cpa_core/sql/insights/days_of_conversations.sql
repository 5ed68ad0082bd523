-- From which day to which do conversations go?
select min(day) as first, max(day) as last from raw_conversations
