-- A home whose rows named a user and a session, but no conversation_id, has one conversation for each user.
-- It keeps this rule for such rows: an id, once given, stays.
insert into settings_fixed
select 'rows_by_user', '1'
where exists (
  select 1
  from landed_messages
  where
    by_user
    and regexp_matches(
      metadata::varchar,
      '"(conversation|thread|chat|session|dialog|dialogue)(_id|Id|ID|_sid|Sid|_uuid)"\s*:\s*("\s*[^"\s]|[0-9{])'
    )
);
