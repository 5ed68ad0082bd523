-- About what the questions of a batch are, and in which words they were asked: after an upgrade that asks in other words,
-- its answers are labels by those. Null for batches from before this was written down.
alter table batches add column schema_version varchar;
alter table batches add column prompt_id varchar;
alter table batches add column contents varchar[];
