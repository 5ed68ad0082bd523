-- Which events happened in the chosen conversations, in order, and between which others?
create temp table chosen_events as
with placed as (
  select c.n, c.day, e.position::integer as position, e.quote_start::integer as quote_start, k.kind
  from chosen c
  join tagged_events e on e.day = c.day and e.conversation_id = c.conversation_id
  left join known_names w
    on w.schema_version = e.schema_version and w.role = e.role and w.event_type = e.event_type
  join chosen_kinds k on k.role = e.role and k.event_type = coalesce(w.name, e.event_type)
  where c.tag_outcome = 'ok'
)
select
  n, day, position, kind,
  lag(kind, 2) over ordered as before_that,
  lag(kind) over ordered as before,
  lead(kind) over ordered as after,
  lead(position) over ordered is distinct from position as ends_message
from placed
window ordered as (partition by n order by position, quote_start nulls last, kind)
