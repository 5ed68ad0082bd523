-- Which schemas, prompts and models were the conversations tagged with, and when?
select
  schema_version, tag_prompt as prompt_id, tag_model as model,
  min(day) as first_day, max(day) as last_day, count(*) as conversations
from chosen
where tag_outcome is not null
group by all
order by first_day, last_day, schema_version, prompt_id, model
