-- A topic's description and who named it: a model, a person, or nobody (then its name is made of words of its texts).
-- The share of texts that the model told apart from its nearest topic by name and description. Groups hold topics.
alter table topics add column description varchar;
alter table topics add column named_by varchar;
alter table topics add column told_apart double;
alter table topics add column group_id varchar;
create table topic_groups (
    group_id varchar, corpus varchar, group_name varchar, words varchar[], named_by varchar, made_at timestamptz
);
