-- Which event types people's labels contradicted so far that a day was delivered without them, and how far.
create table withheld_labels (
    day date, role varchar, event_type varchar, kappa double, decided_at timestamptz
);
