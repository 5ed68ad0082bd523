-- Which labels did people give, in the order in which they gave them?
select * from gold_labels order by reviewed_at, review_id, rowid
