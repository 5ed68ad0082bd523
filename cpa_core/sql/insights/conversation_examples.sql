-- Which conversations belong to each day, band of the score or length, hour, or number of turns? Lowest scores first.
with keyed as (
  select
    c.n, c.day, c.conversation_id, c.score,
    case $by
      when 'day' then c.day::varchar
      when 'score_from' then (least(floor(c.score / 10), 9)::integer * 10)::varchar
      when 'length_from' then c.length_from::varchar
      when 'hour' then case when not c.time_assumed then
        isodow(c.started_at at time zone $zone) || ' ' || hour(c.started_at at time zone $zone) end
      when 'turns' then (
        select count(*) from messages m
        where m.day = c.day and m.conversation_id = c.conversation_id and m.role = 'user'
      )::varchar
    end as key
  from chosen c
),
ranked as (
  select *, row_number() over (partition by key order by n) as place from keyed where key is not null
)
select key, day, conversation_id, score
from ranked
where place <= $most
order by key, place
