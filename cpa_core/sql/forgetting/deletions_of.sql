-- What was asked of destinations about these persons, each known by a salted hash?
select destination, project, person, status, http_status, task, detail, asked_at, answered_at
from deletion_receipts
where person in (select unnest(from_json($persons::json, '["varchar"]')))
order by asked_at, destination, project
