-- How many rows does this table hold, and what do they say? Two tables with the same rows, in any order, give the same.
-- The table's name is written in by the caller, which has read it from the catalog: a name cannot be bound.
select count(*) as rows, coalesce(sum(hash(one)::hugeint), 0)::varchar as content from $table as one
