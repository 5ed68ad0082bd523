-- When did a file land last?
select max(landed_at) as landed_at
from landed_files
