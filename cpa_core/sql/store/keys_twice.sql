-- How many rows of the large tables are there twice, and how many messages are missing beside their conversations' counts?
select
  (select count(*) - count(distinct (day, conversation_id, message_id)) from messages) as messages,
  (select count(*) - count(distinct (day, conversation_id)) from raw_conversations) as raw_conversations,
  (select count(*) - count(distinct (day, conversation_id)) from tagged_conversations) as tagged_conversations,
  (select count(*) - count(distinct (day, event_id)) from tagged_events) as tagged_events,
  (select count(*) - count(distinct (day, conversation_id)) from judge_scores) as judge_scores,
  (select count(*) - count(distinct day) from days) as days,
  abs((select coalesce(sum(message_count), 0) from raw_conversations) - (select count(*) from messages))
    as messages_beside_their_counts
