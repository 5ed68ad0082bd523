-- How are sums over units made into a ratio with the variance of leaving one unit out? Macros for every question.
-- A unit's ratio without it is (A - a) / (B - b) with the sums A of hits and B of trials over all units. Its distance
-- from A / B is A w - a v, where v = 1 / (B - b) and w = b v / B: so units without hits need no row of their own.
create temp macro squared(x) as x * x;
create temp macro left_out(trials, all_trials) as 1.0::double / nullif(all_trials - trials, 0);
-- A macro's argument stands wherever the macro names it, and would be planned each time. Where it is long, it becomes a
-- value of a list of one, of which a function takes what it needs.
create temp macro jackknifed(units, w, ww, hits, av, aw, aa) as list_transform(
  [{
    'units': units,
    'sum': squared(hits) * ww - 2 * hits * aw + aa - squared(hits * w - av) / units,
    'rounding': 1e-12 * squared(hits) * ww
  }],
  lambda x: case when x.units < 2 then null when x.sum <= x.rounding then 0 else (x.units - 1.0) / x.units * x.sum end
)[1];
create temp macro trials_by_unit(part, all_parts) as {
  'trials': coalesce(sum(part), 0)::double,
  'units': count(*) filter (where part > 0),
  'squares': coalesce(sum(part::double * part), 0),
  'most': coalesce(max(part), 0)::double,
  'w': sum(part * left_out(part, all_parts) / all_parts),
  'ww': sum(squared(part * left_out(part, all_parts) / all_parts))
};
create temp macro hits_by_unit(hits, part, all_parts) as {
  'hits': coalesce(sum(hits), 0)::double,
  'squares': coalesce(sum(hits::double * hits), 0),
  'products': coalesce(sum(hits::double * part), 0),
  'most': coalesce(max(hits), 0)::double,
  'av': coalesce(sum(hits * left_out(part, all_parts)), 0),
  'aw': coalesce(sum(hits * part * squared(left_out(part, all_parts)) / all_parts), 0),
  'aa': coalesce(sum(squared(hits * left_out(part, all_parts))), 0)
};
create temp macro basis() as (
  select {'conversations': count(*), 'with_user': count(user_id)} from chosen
);
create temp macro ratio_of(hit, trial, talks) as list_transform(
  [{'hit': hit, 'trial': trial, 'conversations': talks::bigint, 'basis': basis()}],
  lambda x: {
    'hits': x.hit.hits, 'trials': x.trial.trials, 'units': x.trial.units, 'conversations': x.conversations,
    'hit_squares': x.hit.squares, 'products': x.hit.products, 'trial_squares': x.trial.squares,
    'most_hits': x.hit.most, 'most_trials': x.trial.most,
    'variance': jackknifed(x.trial.units, x.trial.w, x.trial.ww, x.hit.hits, x.hit.av, x.hit.aw, x.hit.aa),
    'basis': x.basis
  }
)[1];
create temp macro by_unit(hits, part, all_parts, talks) as ratio_of(
  hits_by_unit(hits, part, all_parts), trials_by_unit(part, all_parts), coalesce(sum(talks), 0)
);
-- A unit's sums by layer, from 1 to 12, as a vector.
create temp macro by_layer(layer, value) as [
  sum(case when layer = 1 then value else 0 end), sum(case when layer = 2 then value else 0 end),
  sum(case when layer = 3 then value else 0 end), sum(case when layer = 4 then value else 0 end),
  sum(case when layer = 5 then value else 0 end), sum(case when layer = 6 then value else 0 end),
  sum(case when layer = 7 then value else 0 end), sum(case when layer = 8 then value else 0 end),
  sum(case when layer = 9 then value else 0 end), sum(case when layer = 10 then value else 0 end),
  sum(case when layer = 11 then value else 0 end), sum(case when layer = 12 then value else 0 end)
]::double[12];
