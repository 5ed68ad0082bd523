-- What are the ids and times of a file's messages, where some came without?
with untimed as (
  select
    ordinal,
    coalesce(
      last_value(sent_at ignore nulls) over earlier,
      first_value(sent_at ignore nulls) over all_of_it,
      $midnight::timestamptz + to_seconds(row_number() over earlier - 1)
    ) as moment
  from drafts
  where conversation_id in (select conversation_id from drafts where sent_at is null)
  window
    earlier as (partition by conversation_id order by ordinal),
    all_of_it as (
      partition by conversation_id order by ordinal rows between unbounded preceding and unbounded following
    )
),
hashed as (
  select
    ordinal,
    message_id as given,
    coalesce(sent_at, moment) as moment,
    sent_at is null as time_assumed,
    strftime(coalesce(sent_at, moment), '%Y-%m-%dT%H:%M:%S')
      || case when epoch_us(coalesce(sent_at, moment)) % 1000000 <> 0
        then strftime(coalesce(sent_at, moment), '.%f') else '' end as written,
    case when message_id is null then sha256(
      '[' || to_json(conversation_id) || ',' || to_json(role) || ',' || to_json(content)
      || ',"' || written || '+00:00",0]'
    )[:20] end as made
  from drafts left join untimed using (ordinal)
),
repeated as (
  select ordinal, written, row_number() over (partition by made order by ordinal) - 1 as nth
  from hashed
  where made in (select made from hashed where made is not null group by made having count(*) > 1)
),
numbered as (
  select
    ordinal,
    sha256(
      '[' || to_json(conversation_id) || ',' || to_json(role) || ',' || to_json(content)
      || ',"' || written || '+00:00",' || nth || ']'
    )[:20] as made
  from repeated join drafts using (ordinal)
  where nth > 0
)
select
  ordinal,
  coalesce(given, 'h-' || coalesce(n.made, h.made)) as message_id,
  given is not null as id_given,
  moment as sent_at,
  time_assumed
from hashed h left join numbered n using (ordinal)
order by ordinal
