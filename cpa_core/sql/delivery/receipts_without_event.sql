-- Which events of these days were delivered, are no longer true, and were not withdrawn? Those that are no more, and
-- versions from before a correction that the vendor does not replace. ($judged is a JSON array of the ids of the
-- judgments' events.) What the vendor has replaced is one version: equal in id, name and day.
with expected as (
  select event_id from tagged_events where list_contains($days::date[], day)
  union all
  select unnest(from_json($judged::json, '["varchar"]')) as event_id
),
-- What is no more, or was corrected: the others, nearly all, are not looked at further.
suspects as (
  select u.event_id
  from upload_receipts u
  left join (select distinct event_id from expected) e on e.event_id = u.event_id
  where u.withdraws is null and u.status in ('accepted', 'accepted_warning')
    and (
      (e.event_id is null and list_contains($days::date[], u.day))
      or (e.event_id is not null and starts_with(u.detail, 'corrected: '))
    )
),
ledger as (
  select u.* from upload_receipts u where u.event_id in (select event_id from suspects)
),
newest as (
  select destination, event_id, max_by(project, receipted_at) as project
  from ledger
  group by destination, event_id
),
accepted as (
  select u.*, cast(u.sent_timestamp as date) as sent_on
  from ledger u
  join newest n on n.destination = u.destination and n.event_id = u.event_id and n.project = u.project
  where u.withdraws is null and u.status in ('accepted', 'accepted_warning')
),
versions as (
  select
    destination, project, event_id, sent_id, event_name, sent_on,
    arg_max(day, receipted_at) as day, arg_max(payload_hash, receipted_at) as payload_hash,
    arg_max(sent_timestamp, receipted_at) as sent_timestamp, arg_max(distinct_id, receipted_at) as distinct_id,
    arg_max(identified, receipted_at) as identified, arg_max(conversation_id, receipted_at) as conversation_id,
    arg_max(message_id, receipted_at) as message_id, max(receipted_at) as receipted_at
  from accepted
  group by destination, project, event_id, sent_id, event_name, sent_on
),
latest as (
  select
    destination, project, event_id, arg_max(payload_hash, receipted_at) as payload_hash,
    coalesce(starts_with(arg_max(detail, receipted_at), 'corrected: '), false) as is_correction
  from accepted
  group by destination, project, event_id
),
withdrawn as (
  select destination, project, withdraws, max(receipted_at) as withdrawn_at
  from upload_receipts
  where withdraws is not null and status in ('accepted', 'accepted_warning')
  group by destination, project, withdraws
)
select v.*
from versions v
join latest l on l.destination = v.destination and l.project = v.project and l.event_id = v.event_id
left join (select distinct event_id from expected) e on e.event_id = v.event_id
left join withdrawn w
  on w.destination = v.destination and w.project = v.project and w.withdraws = v.payload_hash
  and w.withdrawn_at >= v.receipted_at
where list_contains($days::date[], v.day)
  and w.withdraws is null
  and (e.event_id is null or (l.is_correction and l.payload_hash <> v.payload_hash))
order by v.day, v.destination, v.project, v.sent_timestamp, v.event_id
