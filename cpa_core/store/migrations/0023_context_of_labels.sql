-- What a label was made from of the metadata that its schema names (`context`), as a hash. Null where it names nothing,
-- and for labels from before this was written down. A day is built again when metadata of its messages changes.
alter table tagged_conversations add column context_hash varchar;
alter table judge_scores add column context_hash varchar;
alter table landed_conversations add column message_metadata ubigint;
update landed_conversations
set message_metadata = found.message_metadata
from (
  select conversation_id, bit_xor(hash(message_id, metadata::varchar)) as message_metadata
  from landed_messages
  where superseded_at is null and metadata is not null
  group by conversation_id
) as found
where landed_conversations.conversation_id = found.conversation_id;
