-- Which days are recorded or have conversations, in order?
select day from days union select day from raw_conversations order by day
