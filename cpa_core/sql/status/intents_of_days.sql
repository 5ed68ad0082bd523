-- How often did users of each of these days get what they wanted, where the judge told an intent?
select day, intent_delivered as delivered, count(*) as conversations
from judge_scores
where list_contains($days::date[], day) and outcome = 'ok' and intent_delivered is not null
group by all
order by day, delivered
