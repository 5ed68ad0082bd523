alter table upload_receipts add column sent_id varchar
