-- Under which keys are rows of the ledgers found? (Postgres)
create unique index if not exists answers_by_id on answers (answer_id);
create index if not exists answers_by_question on answers (request_hash);
create index if not exists answers_by_conversation on answers (conversation_id);
create index if not exists answers_by_run on answers (run_id text_pattern_ops);
create index if not exists answers_by_time on answers (created_at);
create index if not exists answers_by_day on answers (day);
create unique index if not exists batches_by_key on batches (batch_key);
create unique index if not exists receipts_by_key on upload_receipts (destination, project, event_id, payload_hash);
create index if not exists receipts_by_event on upload_receipts (event_id);
create index if not exists receipts_by_day on upload_receipts (day);
create index if not exists receipts_by_withdrawn on upload_receipts (withdraws) where withdraws is not null;
