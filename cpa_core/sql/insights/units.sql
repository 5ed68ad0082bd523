-- How are sums over units made into a ratio with the variance of leaving one unit out? Macros for every question.
-- A unit's ratio without it is (A - a) / (B - b) with the sums A of hits and B of trials over all units. Its distance
-- from A / B is A w - a v, where v = 1 / (B - b) and w = b v / B: so units without hits need no row of their own.
create temp macro squared(x) as x * x;
create temp macro left_out(trials, all_trials) as 1.0::double / nullif(all_trials - trials, 0);
create temp macro jackknifed(units, w, ww, hits, av, aw, aa) as case
  when units < 2 then null
  when squared(hits) * ww - 2 * hits * aw + aa - squared(hits * w - av) / units <= 1e-12 * squared(hits) * ww then 0
  else (units - 1.0) / units * (squared(hits) * ww - 2 * hits * aw + aa - squared(hits * w - av) / units)
end;
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
create temp macro ratio_of(hit, trial, talks) as {
  'hits': hit.hits, 'trials': trial.trials, 'units': trial.units, 'conversations': talks::bigint,
  'hit_squares': hit.squares, 'products': hit.products, 'trial_squares': trial.squares,
  'most_hits': hit.most, 'most_trials': trial.most,
  'variance': jackknifed(trial.units, trial.w, trial.ww, hit.hits, hit.av, hit.aw, hit.aa), 'basis': basis()
};
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
