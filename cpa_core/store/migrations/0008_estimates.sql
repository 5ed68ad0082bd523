-- What a budget had set aside for an answer whose cost is unknown, in US dollars.
alter table answers add column estimate double;
