-- What did all runs spend since a moment, in US dollars? Null where the price of a call is unknown. (Postgres)
select case when count(*) = count(cost) then coalesce(sum(cost), 0.0) end as cost
from answers
where created_at >= $since
