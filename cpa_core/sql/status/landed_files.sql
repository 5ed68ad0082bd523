-- How many files of the source count, how many of them are no longer there, and how many records are in them?
select
  count(*) as files,
  count(*) filter (where removed_at is not null) as files_removed,
  coalesce(sum(records), 0)::bigint as records
from landed_files
where replaced_at is null
