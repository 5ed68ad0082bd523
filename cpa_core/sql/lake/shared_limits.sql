-- Where do all workers keep the turns at a model's paces, and their reservations in a day's budget? (Postgres)
create table if not exists paces (model text, unit text, free_at timestamptz not null, primary key (model, unit));
create table if not exists allowances (holder bigint primary key, dollars double precision not null);
