-- Of which days of the range are only sums left? A range that begins with the first day that has conversations is that of
-- everything, and begins with the first sums.
select day
from insight_days
where day < $before and day <= $last and conversations > 0
  and (day >= $first or $first <= coalesce((select min(day) from raw_conversations), $first))
order by day
