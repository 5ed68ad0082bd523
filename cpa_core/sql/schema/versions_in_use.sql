-- Which versions of the schema made what is tagged or judged?
select schema_version as version from tagged_conversations
union
select schema_version as version from judge_scores
order by version
