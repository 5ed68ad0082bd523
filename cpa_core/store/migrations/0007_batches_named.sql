-- Whether a batch was handed over for a day that was named, which is brought to one schema also by who finishes it.
-- Null is from before this was known: taken as named, since half a day of paid answers would else be left unused.
alter table batches add column retag boolean;
