-- The inbox of issues: what each is with what people say of it, how it stood on each day, and the days that were followed.
create table issues (
    issue_id varchar, cause varchar, title varchar, event_keys varchar[], words varchar, first_found date, owner varchar,
    note varchar, status varchar, fixed_on date, reopened_on date, changed_at timestamptz
);
create table issue_days (
    issue_id varchar, day date, state varchar, since date, told_on date, last_found date, share_there double,
    harmed bigint, of_conversations bigint, share double, low double, high double, units double
);
create table issue_followings (day date, scored bigint, followed_at timestamptz);
