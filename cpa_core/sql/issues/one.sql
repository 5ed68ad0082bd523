-- How is one issue stored?
select * from issues where issue_id = $issue
