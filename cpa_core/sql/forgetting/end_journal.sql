-- No forgetting is under way.
delete from forgetting_journal
