-- How many events has this day, tags and judgments together?
select
  (select count(*) from tagged_events where day = $day)
  + (select count(*) from judge_scores where day = $day and outcome = 'ok') as events
