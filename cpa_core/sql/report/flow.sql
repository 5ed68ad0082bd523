-- How do conversations go from message to message? By their first steps: the event that each message ends with.
with ordered as (
  select
    n, kind,
    row_number() over (partition by n order by position) as step,
    lead(kind) over (partition by n order by position) as next_kind
  from chosen_events
  where ends_message
)
select
  t.step, t.kind, t.next_kind,
  case when t.next_kind is null then
    case when c.is_bad then 'bad' when c.is_good then 'good' when c.score is null then 'unknown' else 'middle' end
  end as ending,
  count(*) as total, min(s.place, $most) as places
from ordered t
join chosen c on c.n = t.n
join sampled s on s.n = t.n
where t.step <= $steps
group by all
order by all
