-- What was found out of a server of chat completions: how it is told the shape of an answer, and whether its model reasons.
create table server_abilities (
    endpoint varchar, model varchar, structured varchar, reasons boolean, found_at timestamptz
);
