-- What are the ids and times of a file's messages, where some came without?
with untimed as (
  select
    ordinal,
    coalesce(
      last_value(sent_at ignore nulls) over earlier,
      first_value(sent_at ignore nulls) over all_of_it,
      $midnight::timestamptz + to_seconds(row_number() over earlier - 1)
    ) as sent_at
  from drafts
  where conversation_id in (select conversation_id from drafts where sent_at is null)
  window
    earlier as (partition by conversation_id order by ordinal),
    all_of_it as (
      partition by conversation_id order by ordinal rows between unbounded preceding and unbounded following
    )
),
moments as (
  select d.ordinal, coalesce(d.sent_at, u.sent_at) as moment
  from drafts d left join untimed u using (ordinal)
),
hashed as (
  select
    ordinal,
    'h-' || sha256(
      '[' || to_json(conversation_id) || ',' || to_json(role) || ',' || to_json(content) || ',"'
      || strftime(moment, '%Y-%m-%dT%H:%M:%S')
      || case when epoch_us(moment) % 1000000 <> 0 then strftime(moment, '.%f') else '' end
      || '+00:00",0]'
    )[:20] as message_id
  from drafts d join moments using (ordinal)
  where message_id is null
),
repeated as (
  select ordinal, row_number() over (partition by message_id order by ordinal) - 1 as nth
  from hashed
  where message_id in (select message_id from hashed group by message_id having count(*) > 1)
),
numbered as (
  select
    ordinal,
    'h-' || sha256(
      '[' || to_json(conversation_id) || ',' || to_json(role) || ',' || to_json(content) || ',"'
      || strftime(moment, '%Y-%m-%dT%H:%M:%S')
      || case when epoch_us(moment) % 1000000 <> 0 then strftime(moment, '.%f') else '' end
      || '+00:00",' || nth || ']'
    )[:20] as message_id
  from repeated join drafts d using (ordinal) join moments using (ordinal)
  where nth > 0
)
select
  ordinal,
  coalesce(d.message_id, n.message_id, h.message_id) as message_id,
  d.message_id is not null as id_given,
  moment as sent_at,
  d.sent_at is null as time_assumed
from drafts d
join moments using (ordinal)
left join hashed h using (ordinal)
left join numbered n using (ordinal)
order by ordinal
