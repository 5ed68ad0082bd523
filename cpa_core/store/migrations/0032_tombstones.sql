-- What must not land again, and a removal that is under way, where several workers share a store: a home has them as files.
create table tombstones (salt varchar, kind varchar, hash varchar, before date);
create table forgetting_journal (journal varchar);
