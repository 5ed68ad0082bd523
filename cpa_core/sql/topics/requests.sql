-- What did users ask for? The first five messages of the user of each conversation, as one text.
with said as (
  select day, conversation_id, position, content,
    row_number() over (partition by day, conversation_id order by position) as place
  from messages
  where role = 'user' and trim(content) <> ''
)
select
  day, conversation_id, '' as place, string_agg(content, chr(10) order by position) as text
from said
where place <= 5
group by day, conversation_id
order by day, conversation_id
