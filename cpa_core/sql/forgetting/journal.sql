-- Which removal is under way, in a store that several workers share?
select journal from forgetting_journal
