-- What is each event type of these days called in each schema, and which kind is it under its newest name?
-- `written` numbers the names as they are written, `kind` the newest ones.
create temp table written_kinds as
select
  row_number() over (order by e.schema_version, e.role, e.event_type)::integer as written,
  e.schema_version, e.role, e.event_type, coalesce(k.name, e.event_type) as name,
  dense_rank() over (order by e.role, coalesce(k.name, e.event_type))::integer as kind
from (
  select distinct schema_version, role, event_type from tagged_events where day between $first and $last
) as e
left join known_names k
  on k.schema_version = e.schema_version and k.role = e.role and k.event_type = e.event_type
