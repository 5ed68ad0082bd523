-- A space of new topics also knows the groups that are none: a text nearest to one of them is not placed in it.
-- The centres are rows of an array in base64, as are those of a topic, which can have several.
alter table topic_spaces add column others varchar;
