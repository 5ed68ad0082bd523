-- Which conversations fit these filters (each null where it does not matter), the newest first, $size from $skip on?
-- $words are words of the texts, in any message.
with events as (
  select day, conversation_id, count(*) as events, list(distinct event_type order by event_type) as types
  from tagged_events
  where $property::varchar is null or $value::varchar is null
    or json_extract_string(properties, '$."' || replace($property, '"', '') || '"') = $value
  group by day, conversation_id
)
select
  r.conversation_id, r.day, r.user_id, j.score, coalesce(e.events, 0) as events,
  coalesce(e.types, []) as types, count(*) over () as found
from raw_conversations r
left join events e on e.day = r.day and e.conversation_id = r.conversation_id
left join judge_scores j on j.day = r.day and j.conversation_id = r.conversation_id
where ($first::date is null or r.day >= $first::date)
  and ($last::date is null or r.day <= $last::date)
  and ($user::varchar is null or r.user_id = $user::varchar)
  and ($type::varchar is null or list_contains(e.types, $type::varchar))
  and ($property::varchar is null or $value::varchar is null or e.events > 0)
  and ($least::double is null or j.score >= $least::double)
  and ($most::double is null or j.score <= $most::double)
  and ($words::varchar is null or exists (
    select 1 from messages m
    where m.day = r.day and m.conversation_id = r.conversation_id and contains(lower(m.content), lower($words::varchar))
  ))
order by r.day desc, r.conversation_id
limit $size offset $skip
