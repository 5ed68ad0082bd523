-- Which days need work, and why? Landed since they were built, not finished, or not delivered everywhere; in batches.
-- ($waiting are days whose schema is not accepted yet: they go to the outbox only. $ways are the ways in which questions
-- would be asked now: what was given up in one of them is not open. Null: they are not known, and nothing has changed.)
with batched as (
  select day, bool_or(list_contains($waiting_states::varchar[], state)) as waits
  from batches
  where list_contains($open_states::varchar[], state)
  group by day
),
given_up as (
  select * from unusable_answers where is_final and coalesce(list_contains($ways::varchar[], way), true)
),
open_work as (
  select r.day, count(*) as open
  from raw_conversations r
  left join tagged_conversations t
    on t.day = r.day and t.conversation_id = r.conversation_id and t.content_hash = r.content_hash
  left join judge_scores j
    on j.day = r.day and j.conversation_id = r.conversation_id and j.content_hash = r.content_hash
  left join given_up tg
    on tg.task = 'tag' and tg.conversation_id = r.conversation_id and tg.content_hash = r.content_hash
  left join given_up jg
    on jg.task = 'judge' and jg.conversation_id = r.conversation_id and jg.content_hash = r.content_hash
  where (coalesce(t.outcome, '') not in ('ok', 'refused', 'filtered') and tg.task is null)
    or (coalesce(j.outcome, '') not in ('ok', 'refused', 'filtered') and jg.task is null)
  group by r.day
)
select
  d.day, d.generation, coalesce(d.built_generation, 0) as built_generation,
  coalesce(b.waits, false) as waits,
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
