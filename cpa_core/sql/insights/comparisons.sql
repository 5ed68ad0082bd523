-- How much more often do a comparison's own cases end than the others of its base, and how sure is it?
-- Mantel and Haenszel's difference is a ratio of sums over units: of (x - mean x)(y - mean y), with x whether a case is
-- the comparison's own, y whether it ended, and the means of its layer; over (x - mean x)². A unit with own cases is
-- left out exactly, one without to first order, from the products of its layers: such units need no row of their own.
with wholes as (
  select id, own_hits as hits, own_trials + m as trials, units, m, qq, qm, mm from compared_beside
),
parts as (
  select
    t.id, t.q, t.m, t.own_hits - t.q as hits, t.own_trials + t.m as trials,
    (w.hits * (t.own_trials + t.m) - (t.own_hits - t.q) * w.trials)
      / nullif(w.trials * (w.trials - t.own_trials - t.m), 0) as distance
  from compared_parts t
  join wholes w on w.id = t.id
),
sums as (
  select
    id, sum(squared(hits)) as hh, sum(hits * trials) as ht, sum(squared(trials)) as tt,
    sum(q) as q, sum(m) as m, sum(squared(q)) as qq, sum(q * m) as qm, sum(squared(m)) as mm,
    max(abs(hits)) as most_hits, max(trials) as most_trials,
    case when count(*) = count(distance) then sum(distance) end as d, sum(squared(distance)) as dd
  from parts
  group by id
),
final as (
  select
    w.id, w.hits, w.trials, w.units,
    s.hh + w.qq - s.qq as hit_squares,
    s.ht - (w.qm - s.qm) as products,
    s.tt + w.mm - s.mm as trial_squares,
    s.most_hits, s.most_trials,
    s.d + (w.hits / w.trials * (w.m - s.m) - s.q) / w.trials as d,
    s.dd + (squared(w.hits / w.trials) * (w.mm - s.mm) + 2 * w.hits / w.trials * (w.qm - s.qm) + w.qq - s.qq)
      / squared(w.trials) as dd
  from wholes w
  join sums s on s.id = w.id
  where w.trials > 1e-9
)
select id, hits, trials, units, 0::bigint as conversations, greatest(hit_squares, 0) as hit_squares, products,
  greatest(trial_squares, 0) as trial_squares, most_hits, most_trials,
  case when units > 1 then greatest((units - 1.0) / units * (dd - squared(d) / units), 0) end as variance
from final
order by id
