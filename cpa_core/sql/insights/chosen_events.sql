-- Which events happened in the chosen conversations, in order, and between which others?
create temp table chosen_events as
with placed as (
  select c.n, c.day, e.position::integer as position, e.quote_start::integer as quote_start, k.kind, e.rowid as place
  from chosen c
  join tagged_events e on e.day = c.day and e.conversation_id = c.conversation_id
  join written_kinds k
    on k.role = e.role and k.event_type = e.event_type
    and k.schema_version is not distinct from e.schema_version
  where c.tag_outcome = 'ok'
)
select
  n, day, position, kind, place,
  lag(kind, 2) over ordered as before_that,
  lag(kind) over ordered as before,
  lead(kind) over ordered as after,
  lead(position) over ordered is distinct from position as ends_message
from placed
window ordered as (partition by n order by position, quote_start nulls last, kind)
