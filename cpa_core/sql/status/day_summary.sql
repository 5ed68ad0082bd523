-- What is in each of these days: conversations, messages, events, scores, spend, receipts, failures?
with newest as (
  select destination, event_id, max_by(project, receipted_at) as project
  from upload_receipts
  where event_id in (select event_id from upload_receipts where list_contains($days::date[], day))
  group by destination, event_id
)
select
  d.day,
  (select count(*) from raw_conversations r where r.day = d.day) as conversations,
  (select count(*) from messages m where m.day = d.day) as messages,
  (select count(*) from tagged_events e where e.day = d.day) as events,
  (select count(*) from judge_scores j where j.day = d.day and j.outcome = 'ok') as judged,
  (select avg(score) from judge_scores j where j.day = d.day) as mean_score,
  (select case when count(*) = count(cost) then coalesce(sum(cost), 0) end
    from answers a where a.day = d.day) as spend,
  (select count(*) from upload_receipts u where u.day = d.day and u.status in ('accepted', 'accepted_warning'))
    as receipts,
  (select count(*) from upload_receipts u
    join newest n on n.destination = u.destination and n.event_id = u.event_id
    where u.day = d.day and u.status not in ('accepted', 'accepted_warning')
      and (u.status <> 'retryable' or u.project = n.project)) as undelivered,
  (select count(*) from failures f where f.day = d.day) as failures,
  (select count(*) from failures f where f.day = d.day and f.retryable) as retryable
from days d
where list_contains($days::date[], d.day)
order by d.day
