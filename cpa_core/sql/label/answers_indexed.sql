-- Which answers of this file of the archive does the table not hold yet? They are put into it.
insert into answers by name
select distinct on (answer_id) *
from read_parquet($file)
where answer_id not in (select answer_id from answers where answer_id is not null)
