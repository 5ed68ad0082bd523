-- Do several objects hold one conversation?
select 1 from shared limit 1
