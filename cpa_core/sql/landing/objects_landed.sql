-- Which objects have landed, in which version?
select uri, etag, untimed_day, removed_at, reading, modified_at, landed_at
from landed_files
where replaced_at is null
