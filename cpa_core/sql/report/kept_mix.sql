-- Which events happened how often in each stretch of time, that are not here any more? By kinds that occur since.
with here as (
  select c.day, e.kind, count(*) as events
  from chosen_events e
  join chosen c on c.n = e.n
  group by c.day, e.kind
)
select date_trunc($unit, k.day)::date as bucket, n.kind, sum(k.events - coalesce(h.events, 0))::bigint as events
from insight_events k
join chosen_kinds n on n.role = k.role and n.event_type = k.event_type
left join here h on h.day = k.day and h.kind = n.kind
where k.day in (select unnest(from_json($days::json, '["date"]')))
group by all
order by all
