-- The event type that a topic was promoted to, by its key.
alter table topics add column event_key varchar;
