-- When a version of the schema last came into force: it may do so again after another one was.
alter table event_schemas add column in_force_at timestamptz;
update event_schemas set in_force_at = created_at;
