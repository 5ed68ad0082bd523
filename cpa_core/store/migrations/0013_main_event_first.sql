-- The place of an event among those of its message in the answer, from 1, the main one first. Older events have none.
alter table tagged_events add column nth bigint;
