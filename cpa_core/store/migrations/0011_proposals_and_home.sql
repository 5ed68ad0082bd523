-- Which versions of the schema a run proposed on its own, when each was accepted, and which home this is.
alter table event_schemas add column proposed boolean;
alter table event_schemas add column accepted_at timestamptz;
create table home as select uuid()::varchar as id
