-- What are the touched conversations now: their day, times, a hash of all they hold, and what else they say of themselves?
create or replace temp table now_so as
select
  conversation_id,
  cast(min(sent_at) at time zone $zone as date) as day,
  min(sent_at) as started_at,
  max(sent_at) as ended_at,
  -- A list that is sorted takes half the time of string_agg with an order.
  sha256(array_to_string(list_transform(list_sort(list(row(
    sent_at, uri, ordinal, md5(json_array(message_id, role, content, user_id, epoch_us(sent_at))::varchar)
  ))), lambda message: message[4]), '')) as content_hash,
  arg_min(conversation_metadata, row(sent_at, uri, ordinal))
    filter (where conversation_metadata is not null) as metadata,
  bit_xor(hash(message_id, metadata::varchar)) filter (where metadata is not null) as message_metadata
from landed_messages
where superseded_at is null and conversation_id in (select conversation_id from touched)
group by conversation_id
