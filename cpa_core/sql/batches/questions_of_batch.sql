-- Which questions are in this batch, and about which conversations?
select request_hashes, conversation_ids from batches where batch_key = $key
