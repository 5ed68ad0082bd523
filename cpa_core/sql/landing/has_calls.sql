-- Has a call of more than two messages landed?
select 1 from known_conversations where kind = 'call' and len(said) > 2 limit 1
