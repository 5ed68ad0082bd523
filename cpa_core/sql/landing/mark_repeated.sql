-- Which messages of this object does only the history of a call tell, and what is kept of that history?
with told as (
  select unnest(from_json($told::json, '[{"ordinal": "bigint", "length": "integer", "mark": "bigint"}]'), recursive := true)
)
update landed_messages
set repeated = true, history_length = told.length, history_mark = told.mark
from told
where landed_messages.uri = $uri and landed_messages.ordinal = told.ordinal
