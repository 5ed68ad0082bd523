-- A batch of a stage, from before it is created until its answers are used: see pipeline/batching.py for the states.
alter table batches add column batch_key varchar;
alter table batches add column task varchar;
alter table batches add column day date;
alter table batches add column conversation_ids varchar[];
alter table batches add column estimate double;
alter table batches add column done bigint;
alter table batches add column unanswered bigint;
alter table batches add column detail varchar;
alter table batches add column ended_at timestamptz;
