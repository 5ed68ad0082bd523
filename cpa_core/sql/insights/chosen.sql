-- Which conversations are asked about: those that began in the range and pass every filter? With what is known of each.
-- They are numbered from the lowest score on. `unit` is what is independent of the others: a user's conversations have
-- the same, the least of their numbers; without a user each has its own. What programs write for a user whom they do
-- not know ($nobody) is no user.
create temp table chosen as
with tagged as (
  select r.day, r.conversation_id, t.outcome, t.schema_version, t.prompt_id, t.model
  from raw_conversations r
  join tagged_conversations t
    on t.day = r.day and t.conversation_id = r.conversation_id and t.content_hash = r.content_hash
  where r.day between $first and $last
),
judged as (
  select r.day, r.conversation_id, j.outcome, j.score, j.schema_version, j.model, j.intent_delivered,
    list_contains(json_extract_string(j.dealbreakers, '$.*.hit'), 'true') as has_dealbreaker
  from raw_conversations r
  join judge_scores j
    on j.day = r.day and j.conversation_id = r.conversation_id and j.content_hash = r.content_hash
  where r.day between $first and $last
),
nobody as (select unnest($nobody::varchar[]) as name),
wanted_user as (select unnest($user_names::varchar[]) as name, unnest($user_values::varchar[]) as value),
wanted_property as (select unnest($property_names::varchar[]) as name, unnest($property_values::varchar[]) as value),
numbered as (
  select
    row_number() over (
      order by case when j.outcome = 'ok' then j.score end nulls last, r.day, r.conversation_id
    )::integer as n,
    r.day, r.conversation_id, case when b.name is null then r.user_id end as user_id, r.started_at, r.ended_at, r.message_count, r.time_assumed,
    case
      when r.message_count < 3 then 1 when r.message_count < 5 then 3 when r.message_count < 7 then 5
      when r.message_count < 10 then 7 when r.message_count < 15 then 10 when r.message_count < 20 then 15
      when r.message_count < 30 then 20 when r.message_count < 50 then 30 else 50
    end::integer as length_from,
    t.outcome as tag_outcome, t.schema_version, t.prompt_id as tag_prompt, t.model as tag_model,
    j.outcome as judge_outcome, j.schema_version as judge_schema_version, j.model as judge_model,
    case when j.outcome = 'ok' then j.score end as score,
    case when j.outcome = 'ok' then j.score < $bad_below end as is_bad,
    case when j.outcome = 'ok' then j.score >= $good_from end as is_good,
    case when j.outcome = 'ok' then j.has_dealbreaker end as has_dealbreaker,
    case when j.outcome = 'ok' then j.intent_delivered end as delivered
  from raw_conversations r
  left join tagged t on t.day = r.day and t.conversation_id = r.conversation_id
  left join judged j on j.day = r.day and j.conversation_id = r.conversation_id
  left join nobody b on b.name = lower(regexp_replace(r.user_id, $around, '', 'g'))
  where r.day between $first and $last
    and ($score_from::double is null or (j.outcome = 'ok' and j.score >= $score_from::double))
    and ($score_below::double is null or (j.outcome = 'ok' and j.score < $score_below::double))
    and (
      len($user_names::varchar[]) = 0
      or r.conversation_id in (
        select u.conversation_id
        from raw_conversations u
        join wanted_user w
          on w.value = case
            when w.name = 'user_id' then u.user_id else (u.metadata::map(varchar, json))[w.name] ->> '$' end
        where u.day between $first and $last
        group by u.conversation_id
        having count(*) = len($user_names::varchar[])
      )
    )
    and (
      len($events::varchar[]) = 0
      or t.outcome = 'ok' and r.conversation_id in (
        select e.conversation_id
        from tagged_events e
        left join known_names k
          on k.schema_version = e.schema_version and k.role = e.role and k.event_type = e.event_type
        where e.day between $first and $last and list_contains($events::varchar[], coalesce(k.name, e.event_type))
        group by e.conversation_id
        having count(distinct coalesce(k.name, e.event_type)) = len($events::varchar[])
      )
    )
    and (
      len($property_names::varchar[]) = 0
      or t.outcome = 'ok' and r.conversation_id in (
        select e.conversation_id
        from (
          select *, unnest(map_entries(properties::map(varchar, varchar))) as entry
          from tagged_events
          where day between $first and $last
        ) as e
        left join known_properties k
          on k.schema_version = e.schema_version and k.role = e.role and k.event_type = e.event_type
          and k.property = e.entry.key
        join wanted_property w on w.name = coalesce(k.name, e.entry.key) and w.value = e.entry.value
        group by e.conversation_id
        having count(distinct w.name) = len($property_names::varchar[])
      )
    )
)
select *, case when user_id is null then n else min(n) over (partition by user_id) end as unit
from numbered
