-- In how many seconds does this worker's turn at each pace of a model end? It begins after the turns of others. (Postgres)
insert into paces as p (model, unit, free_at)
select %(model)s, t.unit, now() + (t.seconds - %(slack)s) * interval '1 second'
from unnest(%(units)s::text[], %(seconds)s::float8[]) as t (unit, seconds)
order by t.unit
on conflict (model, unit) do update
set free_at = greatest(p.free_at, now() - %(slack)s * interval '1 second')
  + (excluded.free_at - (now() - %(slack)s * interval '1 second'))
returning unit, extract(epoch from p.free_at - clock_timestamp())::float8 as ends_in
