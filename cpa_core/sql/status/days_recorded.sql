-- Which days are recorded?
select day from days
