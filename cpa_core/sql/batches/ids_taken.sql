-- Which batches of a vendor belong to rows already?
select batch_id from batches where batch_id is not null
