-- Which objects of the source hold no message of another conversation than these?
select distinct f.uri
from landed_files f
where not exists (
  select 1 from landed_messages m
  where m.uri = f.uri and m.conversation_id not in (select unnest(from_json($ids::json, '["varchar"]')))
)
order by f.uri
