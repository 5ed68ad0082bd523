-- How many tokens has an answer of this model to this task on average? Null before the first.
select avg(completion_tokens) as completion_tokens
from answers
where task = $task and provider = $provider and model = $model and outcome = 'ok'
