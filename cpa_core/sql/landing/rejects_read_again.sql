-- Forget the rejects of earlier ranges of a database that are rejected again now, for the same reason.
delete from rejected_records
where uri not in (select uri from fresh)
  and (split_part(uri, '#', 1), reason, raw) in (
    select (split_part(uri, '#', 1), reason, raw)
    from rejected_records
    where list_contains(from_json($again::json, '["varchar"]'), uri)
  )
