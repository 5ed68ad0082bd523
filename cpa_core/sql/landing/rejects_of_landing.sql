-- What share of the newest landing was rejected, of its records or of its objects?
with newest as (
  select * from landed_files
  where replaced_at is null and landed_at = (select max(landed_at) from landed_files)
),
counted as (
  select
    landed_at,
    count(*) as objects,
    count(problem) as refused,
    sum(records)::bigint as records,
    (select count(*) from rejected_records r where r.loss and r.rejected_at = n.landed_at and r.place <> '') as lost
  from newest n
  group by landed_at
)
select *, greatest(refused / objects, case when lost = 0 then 0 else lost / (lost + records) end) as share
from counted
