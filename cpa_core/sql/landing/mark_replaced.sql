-- The earlier versions of these objects count no longer, unless the new one cannot be read.
update landed_files set replaced_at = $now
from fresh
where landed_files.uri = fresh.uri
  and replaced_at is null
  and (fresh.problem is null or landed_files.problem is not null)
