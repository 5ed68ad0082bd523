-- Which conversations are built, with their score, events and user? The lowest scores first, then those without one.
-- (Null filters let every conversation through; $event is the name of an event type.)
with tagged as (
  select day, conversation_id, count(*) as events,
    bool_or($event is null or lower(event_type) = lower($event)) as has_event
  from tagged_events
  group by day, conversation_id
)
select
  r.conversation_id, r.day, r.user_id, r.message_count as messages, coalesce(t.events, 0)::bigint as events, j.score,
  j.outcome as judged, count(*) over ()::bigint as found
from raw_conversations r
left join tagged t on t.day = r.day and t.conversation_id = r.conversation_id
left join judge_scores j on j.day = r.day and j.conversation_id = r.conversation_id
where ($first is null or r.day >= $first)
  and ($last is null or r.day <= $last)
  and ($user is null or r.user_id = $user)
  and ($event is null or coalesce(t.has_event, false))
  and ($below is null or j.score < $below)
order by j.score nulls last, r.day, r.conversation_id
limit $most
