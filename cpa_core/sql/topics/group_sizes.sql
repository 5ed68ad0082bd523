-- How large is each group of topics, in all and in its last seven days beside the seven before, and how do its
-- conversations end? Days are counted from the corpus's last one.
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
  i.corpus, g.group_id, g.group_name as name, coalesce(g.named_by = 'person', false) as is_named,
  count(distinct i.topic_id) as topics, count(*) as items, count(distinct i.conversation_id) as conversations,
  count(*) / any_value(l.items) as share,
  count(*) filter (i.day > l.last_day - 7) as last_week,
  count(*) filter (i.day <= l.last_day - 7 and i.day > l.last_day - 14) as week_before,
  avg(e.score) as mean_score, any_value(l.last_day) as last_day
from topic_items i
join last_days l on l.corpus = i.corpus
join topics t on t.topic_id = i.topic_id and t.corpus = i.corpus
join topic_groups g on g.group_id = t.group_id and g.corpus = i.corpus
left join ends e on e.day = i.day and e.conversation_id = i.conversation_id
group by i.corpus, g.group_id, g.group_name, g.named_by
order by i.corpus desc, items desc, g.group_id
