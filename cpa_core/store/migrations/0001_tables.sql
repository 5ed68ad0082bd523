create table landed_files (
    uri varchar, etag varchar, size bigint, modified_at timestamptz, landed_at timestamptz,
    records bigint, rejected bigint, days varchar[], problem varchar, untimed_day date,
    replaced_at timestamptz, removed_at timestamptz
);
create table rejected_records (
    uri varchar, etag varchar, place varchar, reason varchar, raw varchar, rejected_at timestamptz
);
create table landed_messages (
    uri varchar, etag varchar, place varchar, ordinal bigint, conversation_id varchar, message_id varchar,
    id_given boolean, user_id varchar, role varchar, content varchar, sent_at timestamptz,
    time_assumed boolean, metadata json, conversation_metadata json, superseded_at timestamptz
);
create table landed_conversations (
    conversation_id varchar, day date, started_at timestamptz, ended_at timestamptz, content_hash varchar,
    metadata json
);
create table days (
    day date, generation bigint, built_generation bigint, reason varchar, delivered_to varchar[]
);
create table raw_conversations (
    day date, conversation_id varchar, user_id varchar, started_at timestamptz, ended_at timestamptz,
    message_count bigint, content_hash varchar, time_assumed boolean, metadata json
);
create table messages (
    day date, conversation_id varchar, message_id varchar, position bigint, role varchar, content varchar,
    sent_at timestamptz
);
create table event_schemas (
    version varchar, yaml varchar, created_at timestamptz, origin varchar
);
create table tagged_conversations (
    day date, conversation_id varchar, content_hash varchar, schema_version varchar, prompt_id varchar,
    model varchar, outcome varchar, messages_asked bigint, cost double, tagged_at timestamptz
);
create table tagged_events (
    day date, event_id varchar, conversation_id varchar, message_id varchar, position bigint, role varchar,
    event_type varchar, properties json, quote varchar, quote_start bigint, quote_end bigint, because varchar,
    schema_version varchar, prompt_id varchar, model varchar
);
create table judge_scores (
    day date, conversation_id varchar, score double, because varchar, verdicts json, dealbreakers json,
    content_hash varchar, schema_version varchar, prompt_id varchar, model varchar, outcome varchar,
    cost double, judged_at timestamptz
);
create table upload_receipts (
    destination varchar, project varchar, event_id varchar, payload_hash varchar, sent_id varchar,
    event_name varchar, day date,
    status varchar, http_status bigint, detail varchar, attempts bigint, sent_timestamp timestamptz,
    batch_id varchar, receipted_at timestamptz
);
create table failures (
    day date, stage varchar, conversation_id varchar, reason varchar, detail varchar, retryable boolean,
    attempts bigint, failed_at timestamptz
);
create table answers (
    answer_id varchar, request_hash varchar, attempt bigint, task varchar, provider varchar, model varchar,
    lane varchar, outcome varchar, answer varchar, detail varchar, prompt_tokens bigint, cached_tokens bigint,
    cache_write_tokens bigint, completion_tokens bigint, cost double, run_id varchar, day date,
    conversation_id varchar, created_at timestamptz
);
create table batches (
    batch_id varchar, provider varchar, model varchar, request_hashes varchar[], state varchar,
    submitted_at timestamptz
);
create table settings_fixed (
    name varchar, value varchar
);
