-- How large is each topic, in all and in its last seven days beside the seven before, and how do its conversations end?
-- Where $by_group, the same of groups of topics. The row without a topic counts texts that no topic is near to. Days are
-- counted from the corpus's last one. $corpus is null for all of them.
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
),
placed as (
  select i.corpus, i.topic_id, i.day, i.conversation_id, case when $by_group then t.group_id else i.topic_id end as place
  from topic_items i
  left join topics t on t.topic_id = i.topic_id and t.corpus = i.corpus
  where ($corpus is null or i.corpus = $corpus) and (not $by_group or t.group_id is not null)
),
sizes as (
  select
    p.corpus, p.place, count(distinct p.topic_id) as topics, count(*) as items,
    count(distinct p.conversation_id) as conversations, count(*) / any_value(l.items) as share,
    count(*) filter (p.day > l.last_day - 7) as last_week,
    count(*) filter (p.day <= l.last_day - 7 and p.day > l.last_day - 14) as week_before,
    avg(e.score) as mean_score, any_value(l.last_day) as last_day
  from placed p
  join last_days l on l.corpus = p.corpus
  left join ends e on e.day = p.day and e.conversation_id = p.conversation_id
  group by p.corpus, p.place
)
select
  s.* exclude (place), s.place as topic_id, coalesce(t.topic_name, g.group_name) as name, t.found_day, t.event_key,
  t.description, coalesce(t.named_by, g.named_by) as named_by, t.told_apart, coalesce(g.group_id, t.group_id) as group_id,
  coalesce(t.is_new, false) as is_new, coalesce(g.named_by = 'person', false) as is_named
from sizes s
left join topics t on not $by_group and t.topic_id = s.place and t.corpus = s.corpus
left join topic_groups g on $by_group and g.group_id = s.place and g.corpus = s.corpus
order by s.corpus desc, s.place is null, s.items desc, s.place
