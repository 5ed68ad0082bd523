-- Topics in vectors of another kind are found anew. How many texts of each earlier topic does each of them have?
create table topic_epochs (
    corpus varchar, space_id varchar, earlier_id varchar, topic_id varchar, shared bigint, made_at timestamptz
);
