-- How is each server of chat completions, or the one at this endpoint with this model, asked for the shape of an answer?
select endpoint, model, structured, reasons, found_at
from server_abilities
where ($endpoint is null or endpoint = $endpoint) and ($model is null or model = $model)
order by endpoint, model;
