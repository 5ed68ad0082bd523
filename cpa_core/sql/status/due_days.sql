-- Which days need work, and why? Landed since they were built, not finished, or not delivered everywhere; in batches.
-- ($waiting are days whose schema is not accepted yet: they go to the outbox only. $ways are the ways in which questions
-- would be asked now: what was given up in one of them is not open. Null: they are not known, and nothing has changed.
-- What failed in one of them after $paused_since waits; `waits_since` is the first such failure where all that is open
-- waits, else null.)
with batched as (
  select day, bool_or(list_contains($waiting_states::varchar[], state)) as waits
  from batches
  where list_contains($open_states::varchar[], state)
  group by day
),
unusable as (
  select * from unusable_answers where coalesce(list_contains($ways::varchar[], way), true)
),
unfinished as (
  select r.day, r.conversation_id, r.content_hash, 'tag' as task
  from raw_conversations r
  left join tagged_conversations t
    on t.day = r.day and t.conversation_id = r.conversation_id and t.content_hash = r.content_hash
  where coalesce(t.outcome, '') not in ('ok', 'refused', 'filtered')
  union all
  select r.day, r.conversation_id, r.content_hash, 'judge' as task
  from raw_conversations r
  left join judge_scores j
    on j.day = r.day and j.conversation_id = r.conversation_id and j.content_hash = r.content_hash
  where coalesce(j.outcome, '') not in ('ok', 'refused', 'filtered')
),
open_work as (
  select
    o.day, count(distinct o.conversation_id) as open,
    case when count(*) = count(*) filter (where u.counted > 0 and u.counted_at > $paused_since)
      then min(u.counted_at) end as waits_since
  from unfinished o
  left join unusable u
    on u.task = o.task and u.conversation_id = o.conversation_id and u.content_hash = o.content_hash
  where u.is_final is distinct from true
  group by o.day
)
select
  d.day, d.generation, coalesce(d.built_generation, 0) as built_generation,
  coalesce(b.waits, false) as waits,
  case when d.generation is not distinct from d.built_generation and b.day is null then o.waits_since end as waits_since,
  case
    when d.generation is distinct from d.built_generation then d.reason
    when b.waits then 'waits for batches'
    when b.day is not null then 'its batches were answered'
    when o.open > 0 then o.open || ' conversations not finished'
    else 'not delivered'
  end as reason
from days d
left join open_work o on o.day = d.day
left join batched b on b.day = d.day
where b.day is not null
  or d.generation is distinct from d.built_generation
  or o.open > 0
  or not list_has_all(
    coalesce(d.delivered_to, []),
    case when list_contains($waiting::date[], d.day) then ['outbox'] else $destinations::varchar[] end
  )
order by d.day
