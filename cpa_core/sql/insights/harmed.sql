-- How many conversations does each followed issue harm, by day and unit: beyond what happens without it?
-- An event: its conversations that end badly, less the share of the others of its day and length that do. A path: the steps
-- that end a conversation after it, less the share of other steps of its day and depth. A dealbreaker: those that hit it.
-- Few others of a day are eked out by ten of all days. `path` are the numbers of kinds, the first event first.
create or replace temp table harmed as
with scored as (select n, day, unit, length_from, is_bad::integer as ends from chosen where tag_outcome = 'ok' and score is not null),
with_event as (
  select f.issue, s.*
  from followed_issues f
  join (select distinct n, kind from chosen_events) e on e.kind = f.path[1]
  join scored s on s.n = e.n
  where f.cause = 'event'
),
steps as (
  select c.day, c.unit, least(e.position // 2, 11) as depth, [e.before_that, e.before, e.kind] as kinds,
    (e.after is null)::integer as ends
  from chosen_events e
  join chosen c on c.n = e.n
  where e.ends_message
),
with_path as (
  select f.issue, s.* from followed_issues f join steps s on s.kinds[-len(f.path):] = f.path where f.cause = 'path'
),
cases as (
  select issue, day, unit, 'event' as cause, length_from as layer, ends from with_event
  union all
  select issue, day, unit, 'path' as cause, depth as layer, ends from with_path
),
whole as (
  select 'event' as cause, day, length_from as layer, count(*) as cases, sum(ends) as ends from scored group by all
  union all
  select 'path' as cause, day, depth as layer, count(*) as cases, sum(ends) as ends from steps group by all
),
own as (select issue, cause, day, layer, count(*) as cases, sum(ends) as ends from cases group by all),
layers as (
  select i.issue, w.cause, w.day, w.layer, w.cases - coalesce(o.cases, 0) as cases, w.ends - coalesce(o.ends, 0) as ends
  from followed_issues i
  join whole w on w.cause = i.cause
  left join own o on o.issue = i.issue and o.day = w.day and o.layer = w.layer
),
usual as (
  select issue, day, layer,
    (ends + 10 * coalesce(sum(ends) over layer / nullif(sum(cases) over layer, 0), 0)) / (cases + 10) as share
  from layers
  window layer as (partition by issue, layer)
),
hit as (
  select c.day, c.unit, j.schema_version, unnest(map_entries(j.dealbreakers::map(varchar, json))) as entry
  from chosen c
  join judge_scores j on j.day = c.day and j.conversation_id = c.conversation_id
  where c.judge_outcome = 'ok'
),
found as (
  select c.issue, c.day, c.unit, c.ends - u.share as hits
  from cases c
  join usual u on u.issue = c.issue and u.day = c.day and u.layer = c.layer
  union all
  select f.issue, h.day, h.unit, 1 as hits
  from hit h
  left join known_criteria k on k.schema_version = h.schema_version and k.criterion = h.entry.key
  join followed_issues f on f.words = coalesce(nullif(k.words, ''), h.entry.key)
  where f.cause = 'dealbreaker' and (h.entry.value ->> '$.hit') = 'true'
)
select issue, day, unit, sum(hits)::double as hits from found group by issue, day, unit
