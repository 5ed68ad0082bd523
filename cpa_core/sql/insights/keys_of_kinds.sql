-- Which key does each kind keep through renames?
select distinct role, name, key from known_names
