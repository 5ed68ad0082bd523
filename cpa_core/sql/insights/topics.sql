-- How large is each topic among the chosen conversations, how did it grow, and how do its conversations end?
-- Where $by_group, the same of groups; a topic without a group is one of its own. Weeks are counted from $last back.
-- An issue is one of the event types $kinds, or, where $dealbreakers, a hit dealbreaker.
with with_issue as (
  select distinct n from chosen_events where list_contains($kinds::bigint[], kind)
  union
  select n from chosen where $dealbreakers and has_dealbreaker
),
placed as (
  select i.corpus, case when $by_group then coalesce(t.group_id, i.topic_id) else i.topic_id end as topic_id, i.day,
    i.topic_id as own_topic, c.n, c.unit, c.score, c.is_good, c.judge_outcome, c.delivered,
    w.n is not null as has_issue
  from topic_items i
  join chosen c on c.day = i.day and c.conversation_id = i.conversation_id
  left join topics t on t.corpus = i.corpus and t.topic_id = i.topic_id
  left join with_issue w on w.n = c.n
),
sizes as (
  select corpus, topic_id, count(*) as items, count(distinct n) as conversations, count(distinct own_topic) as topics,
    count(*) filter (day > $last::date - 7) as last_week,
    count(*) filter (day <= $last::date - 7 and day > $last::date - 14) as week_before
  from placed
  group by corpus, topic_id
),
parts as (
  select corpus, topic_id, unit, count(*) as talks, count(score) as scored, coalesce(sum(score), 0) as score,
    count(*) filter (is_good) as good, count(*) filter (has_issue) as with_issue,
    count(delivered) as told, count(*) filter (delivered = 'yes') as delivered
  from (select distinct corpus, topic_id, n, unit, score, is_good, has_issue, delivered from placed)
  group by corpus, topic_id, unit
),
totals as (
  select *, sum(talks) over topic as all_talks, sum(scored) over topic as all_scored,
    sum(told) over topic as all_told
  from parts
  window topic as (partition by corpus, topic_id)
),
figures as (
  select corpus, topic_id, by_unit(score, scored, all_scored, scored) as of_score,
    by_unit(good, scored, all_scored, scored) as of_good, by_unit(with_issue, talks, all_talks, talks) as of_issue,
    by_unit(delivered, told, all_told, told) as of_delivered
  from totals
  group by corpus, topic_id
)
select
  s.corpus, s.topic_id, coalesce(t.topic_name, g.group_name) as topic_name, t.description, t.event_key, t.found_day,
  t.group_id, s.topics, coalesce(t.is_new, false) as is_new, s.items,
  s.conversations, s.items / sum(s.items) over (partition by s.corpus) as share, s.last_week, s.week_before,
  f.of_score, f.of_good, f.of_issue, f.of_delivered
from sizes s
join figures f on f.corpus = s.corpus and f.topic_id is not distinct from s.topic_id
left join topics t on t.corpus = s.corpus and t.topic_id = s.topic_id
left join topic_groups g on g.corpus = s.corpus and g.group_id = s.topic_id
order by s.corpus desc, s.topic_id is null, s.items desc, s.topic_id
