-- Which conversations ended before this moment? Of those that left no time, the day decides.
create or replace temp table outdated as
with ends as (
  select conversation_id, max(sent_at) as ended_at from landed_messages group by conversation_id
  union all
  select conversation_id, max(ended_at) from raw_conversations group by conversation_id
  union all
  select conversation_id, max(day)::timestamptz from upload_receipts where day < $day group by conversation_id
  union all
  select conversation_id, max(day)::timestamptz from tagged_events where day < $day group by conversation_id
  union all
  select conversation_id, max(day)::timestamptz from judge_scores where day < $day group by conversation_id
  union all
  select conversation_id, max(coalesce(started_at, day::timestamptz)) from known_conversations group by conversation_id
)
select conversation_id
from ends
where conversation_id is not null
group by conversation_id
having max(ended_at) < $moment
