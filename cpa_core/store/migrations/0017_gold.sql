-- What people say of messages and conversations: one row for each type that a review answers. Files of the home hold
-- the same, and are where it is written first.
create table gold_labels (
    review_id varchar, conversation_id varchar, message_id varchar, role varchar, said varchar, kind varchar,
    key varchar, name varchar, definition varchar, present boolean, verdict varchar, quote varchar, properties json,
    property_definitions json, reviewer varchar, reviewed_at timestamptz, seconds double, queue varchar,
    draw_id varchar, chance double, blind boolean, schema_version varchar, note varchar, part varchar
);
create table gold_draws (
    draw_id varchar, way varchar, queue varchar, first_day date, last_day date, frame bigint, seed bigint,
    drawn_at timestamptz, schema_version varchar, label varchar, mean_believed double, place bigint,
    conversation_id varchar, message_id varchar, chance double, believed double
);
create table gold_meanings (
    key varchar, older varchar, newer varchar, said_by varchar, said_at timestamptz
);
create table gold_uses (
    used_at timestamptz, purpose varchar, part varchar, conversations bigint, labels bigint
);
-- How many bytes of each file of gold are in the tables, and how many of its lines could not be read.
create table gold_merged (
    file varchar, bytes bigint, unread bigint
);
