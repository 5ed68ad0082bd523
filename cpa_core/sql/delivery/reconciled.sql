-- Has every event of these days its receipt, at each destination that has any of that day?
-- ($judged is a JSON array of the judgments' events: day, id, type; $left_out one of what destinations are not sent.)
with judged as (
  select unnest(
    from_json($judged::json, '[{"day": "date", "event_id": "varchar", "event_type": "varchar"}]'), recursive := true
  )
),
expected as (
  select day, event_id, event_type, role from tagged_events where list_contains($days::date[], day)
  union all
  select day, event_id, event_type, null as role from judged
),
relevant as (
  select event_id from upload_receipts where list_contains($days::date[], day)
  union
  select event_id from expected
),
ledger as (
  select destination, project, event_id, day, status, withdraws, receipted_at
  from upload_receipts
  where event_id in (select event_id from relevant)
),
left_out as (
  select unnest(
    from_json($left_out::json, '[{"destination": "varchar", "event_types": ["varchar"], "roles": ["varchar"]}]'),
    recursive := true
  )
),
newest as (
  select destination, event_id, max_by(project, receipted_at) as project
  from ledger
  group by destination, event_id
),
-- What a wrong key left open and a later one delivered does not count.
receipts as (
  select u.*
  from ledger u
  join newest n on n.destination = u.destination and n.event_id = u.event_id
  where u.withdraws is null and (u.status <> 'retryable' or u.project = n.project)
),
latest as (
  select destination, project, event_id, arg_max(status, receipted_at) as status
  from receipts
  group by destination, project, event_id
),
places as (
  select distinct day, destination, project from receipts where list_contains($days::date[], day)
),
answered as (
  select
    p.day, p.destination, p.project, e.event_id, l.status,
    coalesce(list_contains(o.event_types, e.event_type), false) or coalesce(list_contains(o.roles, e.role), false)
      or w.event_type is not null as is_left_out
  from places p
  left join expected e on e.day = p.day
  left join left_out o on o.destination = p.destination
  left join withheld_labels w on w.day = e.day and w.event_type = e.event_type and w.role = e.role
  left join latest l on l.destination = p.destination and l.project = p.project and l.event_id = e.event_id
),
counted as (
  select
    day, destination, project,
    count(event_id) filter (where not is_left_out) as events,
    count(event_id) filter (where is_left_out) as left_out,
    count(*) filter (where not is_left_out and status in ('accepted', 'accepted_warning')) as accepted,
    count(*) filter (where not is_left_out and status = 'rejected') as rejected,
    count(*) filter (where not is_left_out and status in ('pending', 'retryable', 'unknown')) as open
  from answered
  group by day, destination, project
)
select *, events - accepted - rejected - open as difference
from counted
order by day, destination, project
