-- How far was each file merged?
select file, bytes, unread from gold_merged
