-- Which issues are known?
select * from issues order by issue_id
