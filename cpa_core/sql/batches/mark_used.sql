-- The day was written from the answers of its batches.
update batches set state = 'used' where state = 'stored' and task = $task and day = $day
