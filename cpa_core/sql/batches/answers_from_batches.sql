-- How many answers did these batches bring, and what were they quoted at? Null where a price is unknown.
select
  (select count(*) from answers where run_id in (select unnest(from_json($batches::json, '["varchar"]')))) as answers,
  case when count(*) = count(estimate) then coalesce(sum(estimate), 0) end as estimate
from batches
where batch_key in (select unnest(from_json($batches::json, '["varchar"]')))
