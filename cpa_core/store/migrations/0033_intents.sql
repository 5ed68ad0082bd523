-- The intent of each user, by the judge, and whether it was delivered and confirmed. Null where nobody asked.
alter table judge_scores add column intent varchar;
alter table judge_scores add column intent_delivered varchar;
alter table judge_scores add column intent_position bigint;
alter table judge_scores add column intent_quote varchar;
