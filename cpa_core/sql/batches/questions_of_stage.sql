-- Which questions of a stage are in batches whose answers are not used yet: in which words were they asked, and about what,
-- by this version of the schema? In the order in which they were handed over.
-- (A batch from before this was written down was asked by the schema if that is in force since then, and about the
-- conversation as it is built if nothing of it has landed since.)
with asked as (
  select
    batch_key, submitted_at, schema_version, prompt_id,
    unnest(request_hashes) as request_hash, unnest(conversation_ids) as conversation_id, unnest(contents) as content,
    generate_subscripts(request_hashes, 1) as place
  from batches
  where task = $task and day = $day and provider = $provider and model = $model
    and list_contains($states::varchar[], state)
),
landed as (
  select m.conversation_id, max(f.landed_at) as landed_at
  from landed_messages m
  join landed_files f on f.uri = m.uri and f.etag = m.etag
  where m.superseded_at is null and m.conversation_id in (select conversation_id from asked where content is null)
  group by m.conversation_id
),
in_force as (
  select max(coalesce(in_force_at, created_at)) as since from event_schemas where version = $version
)
select
  a.request_hash, a.conversation_id, coalesce(a.prompt_id, 'earlier') as prompt_id,
  coalesce(a.content, case when l.landed_at <= a.submitted_at then r.content_hash end) as content
from asked a
join raw_conversations r on r.day = $day and r.conversation_id = a.conversation_id
left join landed l on l.conversation_id = a.conversation_id
where coalesce(a.schema_version = $version, a.submitted_at >= (select since from in_force))
order by a.submitted_at, a.batch_key, a.place
