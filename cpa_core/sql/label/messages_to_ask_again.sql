-- Which messages, tagged by this version of the schema, must be asked about again: all, those of a role, those that hold
-- an event of a type, or one with a value? ($types and $choices are JSON.) And all of what was $refused or filtered.
with made as (
  select r.day, r.conversation_id, t.outcome
  from raw_conversations r
  join tagged_conversations t
    on t.day = r.day and t.conversation_id = r.conversation_id and t.content_hash = r.content_hash
  where list_contains($days::date[], r.day) and t.schema_version = $version
    and t.outcome in ('ok', 'refused', 'filtered')
),
types as (
  select unnest(from_json($types::json, '[{"role": "varchar", "type": "varchar"}]'), recursive := true)
),
choices as (
  select unnest(
    from_json($choices::json, '[{"role": "varchar", "type": "varchar", "name": "varchar", "choice": "varchar"}]'),
    recursive := true
  )
),
held as (
  select e.day, e.conversation_id, e.position
  from tagged_events e
  join types w on w.role = e.role and w.type = e.event_type
  where list_contains($days::date[], e.day)
  union
  select e.day, e.conversation_id, e.position
  from tagged_events e
  join choices w on w.role = e.role and w.type = e.event_type
    and json_extract_string(e.properties, '$."' || replace(w.name, '"', '\"') || '"') = w.choice
  where list_contains($days::date[], e.day)
)
select m.day, m.conversation_id, m.position
from made t
join messages m on m.day = t.day and m.conversation_id = t.conversation_id
left join held h on h.day = m.day and h.conversation_id = m.conversation_id and h.position = m.position
where m.role in ('user', 'assistant')
  and ($whole or ($refused and t.outcome <> 'ok') or list_contains($roles::varchar[], m.role) or h.position is not null)
order by m.day, m.conversation_id, m.position
