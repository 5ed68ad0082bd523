-- Which conversations are behind the figures on conversations: their ends, scores, days, hours, lengths and turns?
with turns as (
  select c.n, count(m.position) as turns
  from chosen c
  left join messages m on m.day = c.day and m.conversation_id = c.conversation_id and m.role = 'user'
  group by c.n
),
keyed as (
  select s.place, unnest([
    'all',
    'on:' || s.bucket,
    case when c.tag_outcome = 'ok' then 'tagged' else 'untagged' end,
    case when c.judge_outcome = 'ok' then 'judged' else 'unjudged' end,
    case when c.score is null then 'unscored' else 'scored' end,
    case when c.score is not null then 'scored-on:' || s.bucket end,
    case when c.is_bad then 'bad' when c.is_good then 'good' end,
    case when c.is_bad then 'bad-on:' || s.bucket end,
    case when c.has_dealbreaker then 'dealbreaker' end,
    'delivered:' || c.delivered,
    case when c.user_id is not null then 'with-user' end,
    case when c.score is not null then 'score:' || least(floor(c.score / 10), 9)::integer * 10 end,
    case when not c.time_assumed then
      'hour:' || isodow(c.started_at at time zone $zone) || ':' || hour(c.started_at at time zone $zone) end,
    case when c.is_bad and not c.time_assumed then
      'bad-hour:' || isodow(c.started_at at time zone $zone) || ':' || hour(c.started_at at time zone $zone) end,
    'length:' || c.length_from,
    case when c.is_bad then 'bad-length:' || c.length_from end,
    'turn:' || t.turns,
    case when c.is_bad then 'bad-turn:' || t.turns end,
    case when c.tag_outcome is not null then
      'version:' || c.schema_version || ':' || c.tag_prompt || ':' || c.tag_model end
  ]) as key
  from chosen c
  join sampled s on s.n = c.n
  join turns t on t.n = c.n
)
select key, count(*) as total, min(place, $most) as places
from keyed
where key is not null
group by key
