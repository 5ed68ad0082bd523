-- How often did users get what they wanted, of the conversations of which the judge told an intent?
with parts as (
  select
    unit, count(*) as asked,
    count(*) filter (where delivered = 'yes') as yes,
    count(*) filter (where delivered = 'partly') as partly,
    count(*) filter (where delivered = 'no') as no,
    count(*) filter (where delivered = 'cannot tell') as cannot_tell
  from chosen
  where delivered is not null
  group by unit
)
select
  by_unit(yes, asked, all_asked, asked) as of_yes,
  by_unit(partly, asked, all_asked, asked) as of_partly,
  by_unit(no, asked, all_asked, asked) as of_no,
  by_unit(cannot_tell, asked, all_asked, asked) as of_cannot_tell
from (select *, sum(asked) over () as all_asked from parts)
having count(*) > 0
