-- What was asked of destinations about forgotten persons: `person` is a salted hash of the id there.
create table deletion_receipts (
    destination varchar, project varchar, person varchar, status varchar, http_status bigint, task varchar,
    detail varchar, asked_at timestamptz, answered_at timestamptz
);
