-- What are the criteria of each version, in words?
select schema_version, criterion, words from known_criteria
