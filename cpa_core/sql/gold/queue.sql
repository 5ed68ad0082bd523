-- What was drawn for people to read (in one queue, or all where null), in order, and who has read each item?
with read as (
  select conversation_id, message_id, reviewer from gold_labels group by conversation_id, message_id, reviewer
)
select
  d.draw_id, d.conversation_id, d.message_id, any_value(d.chance) as chance,
  list(distinct r.reviewer order by r.reviewer) filter (where r.reviewer is not null) as read_by
from gold_draws d
left join read r
  on r.conversation_id = d.conversation_id and (d.message_id is null or r.message_id = d.message_id)
where d.way <> 'imported' and ($queue::varchar is null or d.queue = $queue::varchar)
group by d.draw_id, d.conversation_id, d.message_id
order by any_value(d.drawn_at), d.draw_id, min(d.place)
