-- Which days are recorded, in order?
select day from days order by day
