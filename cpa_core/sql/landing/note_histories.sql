-- Which messages of this object have the history of a call, and does only that history tell them?
with told as (
  select unnest(
    from_json($told::json, '[{"ordinal": "bigint", "length": "integer", "mark": "bigint", "repeated": "boolean"}]'),
    recursive := true
  )
)
update landed_messages
set repeated = told.repeated, history_length = told.length, history_mark = told.mark
from told
where landed_messages.uri = $uri and landed_messages.ordinal = told.ordinal
