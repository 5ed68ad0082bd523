-- Which names, properties, choices and criteria do the recorded schemas have? These tables hold them for one selection.
create temp table known_names (schema_version varchar, role varchar, event_type varchar, name varchar, key varchar);
create temp table known_properties (schema_version varchar, role varchar, event_type varchar, property varchar, name varchar);
create temp table known_choices (schema_version varchar, role varchar, event_type varchar, property varchar, value varchar);
create temp table known_criteria (schema_version varchar, criterion varchar, words varchar)
