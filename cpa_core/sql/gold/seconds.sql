-- How long does it take people to read a conversation, and a message, in seconds? Null where no review says.
with read as (
  select distinct review_id, conversation_id, message_id, reviewer, seconds
  from gold_labels
  where seconds is not null
)
select
  (select median(whole) from (select sum(seconds) as whole from read group by conversation_id, reviewer)) as conversation,
  (select median(seconds) from read where message_id is not null) as message
