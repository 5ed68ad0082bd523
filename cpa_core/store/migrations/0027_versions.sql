-- Which versions of the product wrote this home, and since when: the last one is the newest.
create table versions (version varchar, since timestamptz);
