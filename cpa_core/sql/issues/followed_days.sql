-- Which days were followed, and how many scored conversations had each?
select day, scored from issue_followings
