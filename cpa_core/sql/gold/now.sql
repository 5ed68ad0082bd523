-- What do people say now of each message and conversation? A person's last blind answer stands for them. An adjudication
-- stands before other reviews, a review of a draw before one without, that of the first reader before others. Left out:
-- what a type no longer means (not among $valid, a JSON array of "kind key definition"), what was said of a text that
-- changed since, and what was not answered blind. The draws are those at random that hold the conversation, whichever
-- way the review came.
create temp table gold_now as
with valid as (select unnest(from_json($valid::json, '["varchar"]')) as meaning),
standing as (
  select
    * replace (coalesce(draw_id, max(draw_id) over person) as draw_id),
    min(reviewed_at) over person as first_reviewed_at
  from gold_labels
  where blind
  window person as (
    partition by kind, key, definition, conversation_id, message_id, reviewer, queue = $adjudicated
  )
  qualify row_number() over (
    partition by kind, key, definition, conversation_id, message_id, reviewer, queue = $adjudicated
    order by reviewed_at desc, review_id desc
  ) = 1
),
usable as (
  select
    l.*, m.position, r.day, r.user_id, d.way, f.draws,
    l.queue = $adjudicated as is_settled
  from standing l
  join valid v on v.meaning = l.kind || ' ' || l.key || ' ' || l.definition
  join raw_conversations r on r.conversation_id = l.conversation_id
  left join messages m on m.day = r.day and m.conversation_id = l.conversation_id and m.message_id = l.message_id
  left join (select distinct draw_id, way from gold_draws) d on d.draw_id = l.draw_id
  left join (
    select conversation_id, list(distinct draw_id order by draw_id) as draws
    from gold_draws
    where way in ('random', 'imported')
    group by conversation_id
  ) f on f.conversation_id = l.conversation_id
  where (l.message_id is null or m.message_id is not null and (l.said = '' or l.said = sha256(m.content)))
)
select
  kind, key, conversation_id, message_id,
  any_value(day) as day,
  any_value(user_id) as user_id,
  any_value(role) as role,
  any_value(position) as position,
  any_value(part) as part,
  first(present order by is_settled desc, draw_id is null, first_reviewed_at, review_id) as present,
  first(verdict order by is_settled desc, draw_id is null, first_reviewed_at, review_id) as verdict,
  first(properties order by is_settled desc, draw_id is null, first_reviewed_at, review_id) as properties,
  first(property_definitions order by is_settled desc, draw_id is null, first_reviewed_at, review_id)
    as property_definitions,
  first(draw_id order by is_settled desc, draw_id is null, first_reviewed_at, review_id) as draw_id,
  bool_and(coalesce(way, '') in ('doubt', 'disagreement', 'border') and draws is null) as is_chosen_for_doubt,
  any_value(draws) as draws,
  bool_or(is_settled) as is_settled,
  count(distinct present) > 1 as is_disputed
from usable
group by kind, key, conversation_id, message_id
