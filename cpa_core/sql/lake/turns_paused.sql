-- No turn of a model begins for some seconds. (Postgres)
update paces
set free_at = greatest(free_at, now() + %(seconds)s * interval '1 second')
where model = %(model)s and unit = 'requests'
