-- What identity remembers of each trace whose pieces may lie in several objects: its conversation, and which calls told it.
create table known_traces (trace_id varchar, conversation_id varchar, user_id varchar, standing bigint);
