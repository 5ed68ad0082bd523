-- A home that named conversations by their words, when session_id and the like beside messages were not read,
-- goes on so: an id, once given, stays.
insert into settings_fixed
select 'conversations_by_words', '1'
where exists (select 1 from known_conversations where kind = 'conversation')
  or exists (select 1 from landed_messages where conversation_id like 'c-%');
