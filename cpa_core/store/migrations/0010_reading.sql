-- How an object was read: what the settings named of its words, roles and times. Null: read by an earlier version.
alter table landed_files add column reading varchar;
