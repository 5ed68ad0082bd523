-- These days have gone to this destination whole.
update days
set delivered_to = list_sort(list_distinct(list_append(coalesce(delivered_to, []), $name)))
where list_contains($days::date[], day)
