-- How large is each topic, in all and in its last seven days beside the seven before, and how do its conversations end?
-- The row without a topic counts texts that no topic is near to. Days are counted from the corpus's last one.
with last_days as (
  select corpus, max(day) as last_day, count(*) as items
  from topic_items
  group by corpus
),
ends as (
  select j.day, j.conversation_id, j.score
  from judge_scores j
  join raw_conversations c
    on c.day = j.day and c.conversation_id = j.conversation_id and c.content_hash = j.content_hash
  where j.outcome = 'ok'
)
select
  i.corpus, i.topic_id, t.topic_name, t.found_day, t.event_key, t.description, t.named_by, t.told_apart, t.group_id,
  coalesce(t.is_new, false) as is_new,
  count(*) as items, count(distinct i.conversation_id) as conversations, count(*) / any_value(l.items) as share,
  count(*) filter (i.day > l.last_day - 7) as last_week,
  count(*) filter (i.day <= l.last_day - 7 and i.day > l.last_day - 14) as week_before,
  avg(e.score) as mean_score, any_value(l.last_day) as last_day
from topic_items i
join last_days l on l.corpus = i.corpus
left join topics t on t.topic_id = i.topic_id and t.corpus = i.corpus
left join ends e on e.day = i.day and e.conversation_id = i.conversation_id
where $corpus is null or i.corpus = $corpus
group by i.corpus, i.topic_id, t.topic_name, t.found_day, t.event_key, t.description, t.named_by, t.told_apart,
  t.group_id, t.is_new
order by i.corpus desc, i.topic_id is null, items desc, i.topic_id
