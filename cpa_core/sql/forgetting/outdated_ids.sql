-- Which conversations are too old to be kept?
select conversation_id from outdated order by conversation_id
