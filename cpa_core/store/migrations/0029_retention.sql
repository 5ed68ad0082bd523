-- Before which days only sums are left: what `cpa forget --older-than` or CPA_KEEP_DAYS removed, and how much.
create table retention (before date, conversations bigint, removed_at timestamptz);
