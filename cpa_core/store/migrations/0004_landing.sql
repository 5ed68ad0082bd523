-- What a landing assumes of a message (its conversation is its user, its time has no zone), and whether a reject is a loss.
alter table landed_messages add column by_user boolean;
alter table landed_messages add column zone_assumed boolean;
alter table rejected_records add column loss boolean;
