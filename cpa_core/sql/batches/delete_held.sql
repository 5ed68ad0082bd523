-- What was held back of this stage is handed over anew.
delete from batches where state = 'held' and task = $task and day = $day
