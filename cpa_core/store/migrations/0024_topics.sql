-- Topics: spaces of vectors, the topics found in them, where each text belongs, and when a corpus was clustered.
-- A space and a topic's centre are arrays in base64. A topic's id is made from its first members and never changes.
create table topic_spaces (
    space_id varchar, corpus varchar, number bigint, since date, made_at timestamptz, arrays varchar
);
create table topics (
    topic_id varchar, corpus varchar, space_id varchar, topic_name varchar, words varchar[], found_day date,
    is_new boolean, centre varchar, radius double
);
create table topic_items (
    corpus varchar, item_id varchar, day date, conversation_id varchar, topic_id varchar, distance double,
    placed_at timestamptz
);
create table topic_clusterings (
    corpus varchar, last_day date, items bigint, without_topic bigint, found bigint, clustered_at timestamptz
);
