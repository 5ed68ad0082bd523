-- By which version is most of the day tagged?
select schema_version as version
from tagged_conversations
where day = $day
group by schema_version
order by count(*) desc, schema_version
limit 1
