-- Which random draws of conversations were made: over which days, of how many, how many of them?
select draw_id, first_day, last_day, any_value(frame) as frame, count(*) as drawn
from gold_draws
where way in ('random', 'imported')
group by draw_id, first_day, last_day
order by first_day, last_day, draw_id
