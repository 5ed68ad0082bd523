-- How many events of each type and role has this day? A judgment's event, named $judged, has no role.
select event_type, role, count(*) as events
from tagged_events
where day = $day
group by event_type, role
union all
select $judged as event_type, null as role, count(*) as events
from judge_scores
where day = $day and outcome = 'ok'
