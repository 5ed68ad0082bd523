-- Does any message of a file need a closer look: an id given twice, no day to begin from, JSON that others write otherwise?
select
  exists (
    select 1 from drafts where message_id is not null group by conversation_id, message_id having count(*) > 1
  )
  or (
    $midnight::timestamptz is null
    and exists (select 1 from drafts group by conversation_id having count(sent_at) = 0)
  )
  or exists (
    select 1 from drafts
    where message_id is null
      and (
        regexp_matches(content, '[\x0b\x0e-\x1f]')
        or regexp_matches(conversation_id || role, '[\x0b\x0e-\x1f]')
        or sent_at < '1000-01-01'::timestamptz
      )
  )
