-- Take the questions about outdated conversations out of the batches: each list has one place for a question.
update batches
set request_hashes = kept.request_hashes, conversation_ids = kept.conversation_ids, contents = kept.contents
from (
  with places as (
    select
      batch_key, contents is null as is_bare, unnest(request_hashes) as request_hash,
      unnest(conversation_ids) as conversation_id, unnest(contents) as content,
      generate_subscripts(conversation_ids, 1) as place
    from batches
  )
  select
    p.batch_key,
    coalesce(list(p.request_hash order by p.place) filter (where o.conversation_id is null), []) as request_hashes,
    coalesce(list(p.conversation_id order by p.place) filter (where o.conversation_id is null), []) as conversation_ids,
    case when not any_value(p.is_bare)
      then coalesce(list(p.content order by p.place) filter (where o.conversation_id is null), []) end as contents
  from places p
  left join outdated o on o.conversation_id = p.conversation_id
  where p.conversation_id is not null
  group by p.batch_key
  having count(o.conversation_id) > 0
) as kept
where kept.batch_key = batches.batch_key
