-- How many questions of a stage were answered from the ledger: the ledger itself has a row only for what was paid.
create table answers_reused (
    run_id varchar, task varchar, provider varchar, model varchar, day date, questions bigint, reused_at timestamptz
);
