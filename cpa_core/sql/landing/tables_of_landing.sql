-- Tables for what one landing brings: conversations to count anew, objects, and users whose sessions may be cut anew.
create temp table touched (conversation_id varchar);
create temp table fresh (uri varchar, etag varchar, problem varchar);
create temp table users (user_id varchar);
