-- What share of messages and of conversations of the selection does the tagger give each event type, in sums by unit?
-- Of messages, those of the type's role; of conversations, the tagged ones. A type null is one that no message has.
with said as (
  select m.role, c.unit, count(*) as messages, count(distinct c.n) as talks
  from chosen c
  join messages m on m.day = c.day and m.conversation_id = c.conversation_id
  where c.tag_outcome = 'ok'
  group by m.role, c.unit
),
spoken as (select *, sum(messages) over (partition by role) as all_messages from said),
tagged as (
  select unit, talks, sum(talks) over () as all_talks
  from (select unit, count(*) as talks from chosen where tag_outcome = 'ok' group by unit)
),
roles as (
  select role, trials_by_unit(messages, all_messages) as whole, sum(talks) as talks,
    hits_by_unit(0, messages, all_messages) as hit
  from spoken
  group by role
),
everyone as (
  select trials_by_unit(talks, all_talks) as whole, hits_by_unit(0, talks, all_talks) as hit from tagged
),
met as (
  select m.kind, c.unit, count(*) as messages, count(distinct m.n) as talks
  from (select distinct n, position, kind from chosen_events) as m
  join chosen c on c.n = m.n
  group by m.kind, c.unit
),
hits as (
  select k.role, k.event_type, hits_by_unit(m.messages, s.messages, s.all_messages) as of_messages,
    hits_by_unit(m.talks, t.talks, t.all_talks) as of_talks
  from met m
  join chosen_kinds k on k.kind = m.kind
  join spoken s on s.role = k.role and s.unit = m.unit
  join tagged t on t.unit = m.unit
  group by k.role, k.event_type
  union all
  select r.role, null, r.hit, e.hit
  from roles r
  cross join everyone e
)
select h.role, h.event_type, ratio_of(h.of_messages, r.whole, r.talks) as of_messages,
  ratio_of(h.of_talks, e.whole, e.whole.trials) as of_conversations
from hits h
join roles r on r.role = h.role
cross join everyone e
