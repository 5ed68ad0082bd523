-- This batch was never created, or not taken.
delete from batches where batch_key = $key
