-- How many failures are counted?
select count(*) as n from unusable_answers
