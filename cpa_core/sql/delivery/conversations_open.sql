-- Why may these days not be delivered yet? One row a day, conversation and stage that is open.
-- ($ways and `waits_since`: as in status/due_days, for each.)
with unusable as (
  select
    task, conversation_id, content_hash, is_final,
    case when counted > 0 and counted_at > $paused_since then counted_at end as waits_since
  from unusable_answers
  where coalesce(list_contains($ways::varchar[], way), true)
)
select r.day, r.conversation_id, 'tag' as stage, coalesce(t.outcome, 'not tagged') as reason, g.waits_since
from raw_conversations r
left join tagged_conversations t
  on t.day = r.day and t.conversation_id = r.conversation_id and t.content_hash = r.content_hash
left join unusable g
  on g.task = 'tag' and g.conversation_id = r.conversation_id and g.content_hash = r.content_hash
where list_contains($days::date[], r.day) and coalesce(t.outcome, '') not in ('ok', 'refused', 'filtered')
  and g.is_final is distinct from true
union all
select r.day, r.conversation_id, 'judge' as stage, coalesce(j.outcome, 'not judged') as reason, g.waits_since
from raw_conversations r
left join judge_scores j
  on j.day = r.day and j.conversation_id = r.conversation_id and j.content_hash = r.content_hash
left join unusable g
  on g.task = 'judge' and g.conversation_id = r.conversation_id and g.content_hash = r.content_hash
where list_contains($days::date[], r.day) and coalesce(j.outcome, '') not in ('ok', 'refused', 'filtered')
  and g.is_final is distinct from true
union all
select d.day, '' as conversation_id, 'build' as stage, d.reason, null as waits_since
from days d
where list_contains($days::date[], d.day) and d.generation is distinct from d.built_generation
order by all
