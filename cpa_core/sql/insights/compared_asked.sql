-- Which comparisons are asked for, by their parts of `compared_rows` with signs, and of which measure?
create or replace temp table compared_asked as
select id, part, sign, count(*) over (partition by id) = 1 and sign = 1 as is_alone, $measure = 'score_sum' as is_score
from (select unnest($ids::integer[]) as id, unnest($parts::bigint[]) as part, unnest($signs::integer[]) as sign)
