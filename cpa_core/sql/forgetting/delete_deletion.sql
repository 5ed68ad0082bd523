-- The receipt of a deletion gives way to a newer one.
delete from deletion_receipts where destination = $destination and project = $project and person = $person
