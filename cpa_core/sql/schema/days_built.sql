-- Which days have conversations, in order?
select distinct day from raw_conversations order by day
