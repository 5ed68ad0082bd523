-- The messages of objects that are replaced now.
delete from landed_messages where uri in (select uri from fresh where problem is null)
