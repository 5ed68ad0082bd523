-- What became of these events (a JSON array of ids: binding a long list takes minutes) at this destination so far, and
-- when was each version of them withdrawn?
with withdrawals as (
  select withdraws, max(receipted_at) as withdrawn_at
  from upload_receipts
  where destination = $destination and project = $project and withdraws is not null
    and status in ('pending', 'unknown', 'accepted', 'accepted_warning')
  group by withdraws
)
select u.*, w.withdrawn_at
from upload_receipts u
left join withdrawals w on w.withdraws = u.payload_hash
where u.destination = $destination and u.project = $project
  and u.event_id in (select unnest(from_json($events::json, '["varchar"]')))
order by u.receipted_at
