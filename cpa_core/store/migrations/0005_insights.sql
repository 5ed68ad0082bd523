-- What the insights need of each day, small and additive: a range of days is a sum. Users alone do not add up.
create table insight_days (
    day date, conversations bigint, users bigint, messages bigint, message_squares bigint, events bigint,
    tagged bigint, judged bigint, scored bigint, score_sum double, score_squares double, good bigint, bad bigint,
    with_dealbreaker bigint
);
create table insight_events (
    day date, role varchar, event_type varchar, events bigint, conversations bigint, scored bigint, bad bigint
);
create table insight_properties (
    day date, role varchar, event_type varchar, property varchar, value varchar, events bigint
);
create table insight_scores (
    day date, score_from bigint, conversations bigint
);
create table insight_criteria (
    day date, criterion varchar, words varchar, met bigint, partly bigint, missed bigint, cannot_tell bigint
);
create table insight_dealbreakers (
    day date, criterion varchar, words varchar, judged bigint, hit bigint
);
create table insight_transitions (
    day date, from_role varchar, from_event varchar, to_role varchar, to_event varchar, times bigint
);
create table insight_turns (
    day date, turns bigint, conversations bigint, scored bigint, bad bigint
);
