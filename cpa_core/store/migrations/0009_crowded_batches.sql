-- The size of a batch's file, and whether no other batch of its model was at work when it was handed over.
alter table batches add column bytes bigint;
alter table batches add column alone boolean;
