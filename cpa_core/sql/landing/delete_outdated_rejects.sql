-- The rejected records of versions that count no longer.
delete from rejected_records
where uri in (select uri from fresh)
  and (uri, etag) not in (select (uri, etag) from landed_files where replaced_at is null)
