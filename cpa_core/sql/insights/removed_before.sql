-- Before which day were conversations removed for their age, so that only their sums are left?
select max(before) as before from retention
