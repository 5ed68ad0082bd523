-- Which days has anything landed for?
select day
from days
order by day
