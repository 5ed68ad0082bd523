-- The history of a call, where only that tells a message: how many messages it has, system prompts aside, and their hash.
alter table landed_messages add column history_length integer;
alter table landed_messages add column history_mark bigint;
