-- Questions about a conversation that a model answered unusably, in runs in which it answered others well: how often,
-- when last, and whether no further run asks. They hold for one way of asking: model, prompt, schema, endpoint, form.
create table unusable_answers (
    day date, task varchar, conversation_id varchar, content_hash varchar, way varchar, outcome varchar,
    counted bigint, counted_at timestamptz, is_final boolean
);
