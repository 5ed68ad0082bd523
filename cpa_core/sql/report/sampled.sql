-- In which order do the chosen conversations serve as examples? In one that is the same whatever is asked of them.
create temp table sampled as
select n, row_number() over (order by md5(conversation_id), n) as place, date_trunc($unit, day)::date as bucket
from chosen
