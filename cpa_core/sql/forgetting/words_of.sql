-- What was said in these conversations and quoted of them, and what are the ids of their events?
with names as (
  select unnest(from_json($ids::json, '["varchar"]')) as conversation_id
)
select null as id, content as words from landed_messages where conversation_id in (select conversation_id from names)
union all
select null, content from messages where conversation_id in (select conversation_id from names)
union all
select event_id, quote from tagged_events where conversation_id in (select conversation_id from names)
union all
select event_id, null from upload_receipts where conversation_id in (select conversation_id from names)
union all
select sent_id, null from upload_receipts where conversation_id in (select conversation_id from names)
union all
select null, quote from gold_labels where conversation_id in (select conversation_id from names)
