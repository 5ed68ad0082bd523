-- What identity remembers of each conversation that it named: who, when, and a hash of every beginning of what was said.
create table known_conversations (
    conversation_id varchar, kind varchar, user_id varchar, started_at timestamptz, day date, opening bigint,
    links bigint[], said bigint[], basis varchar, number bigint, last_at timestamptz, headless boolean
);
-- Whether only a call's history tells a message: one of its own, when it comes, takes its place.
alter table landed_messages add column repeated boolean;
