-- Which schema, prompt and model tagged or judged the conversations of the selection, on which days?
select 'tag' as task, day, schema_version, tag_prompt as prompt_id, tag_model as model, count(*) as conversations
from chosen
where tag_outcome = 'ok'
group by all
union all
select 'judge', c.day, j.schema_version, j.prompt_id, j.model, count(*)
from chosen c
join judge_scores j on j.day = c.day and j.conversation_id = c.conversation_id
where c.judge_outcome = 'ok'
group by all
order by task, day
