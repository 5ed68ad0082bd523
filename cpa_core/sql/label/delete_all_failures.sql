-- Every failure is forgotten: its question is asked again.
delete from unusable_answers
