-- A message that repeats another is not kept.
delete from landed_messages where uri = $uri and ordinal = $ordinal
