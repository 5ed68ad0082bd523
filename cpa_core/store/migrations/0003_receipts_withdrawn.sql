-- To whom and to what an event belonged as it was sent, and which version of it another one withdraws (its payload
-- hash): what a correcting event needs once the tag itself is gone.
alter table upload_receipts add column distinct_id varchar;
alter table upload_receipts add column identified boolean;
alter table upload_receipts add column conversation_id varchar;
alter table upload_receipts add column message_id varchar;
alter table upload_receipts add column withdraws varchar;
