-- How many conversations could an issue of each cause harm, by day and unit?
create or replace temp table harm_trials as
select 'event' as cause, day, unit, count(*) as trials from chosen where tag_outcome = 'ok' and score is not null group by all
union all
select 'path' as cause, day, unit, count(*) as trials from chosen where tag_outcome = 'ok' group by all
union all
select 'dealbreaker' as cause, day, unit, count(*) as trials from chosen where judge_outcome = 'ok' group by all
