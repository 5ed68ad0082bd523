-- Which issues are followed, with the events or the words that tell them?
create or replace temp table followed_issues (issue bigint, cause varchar, path bigint[], words varchar)
