-- Take the questions about these conversations out of the batches: each list has one place for a question.
update batches
set
  request_hashes = list_filter(request_hashes, lambda one, i: not list_contains($gone::varchar[], conversation_ids[i])),
  contents = list_filter(contents, lambda one, i: not list_contains($gone::varchar[], conversation_ids[i])),
  conversation_ids = list_filter(conversation_ids, lambda one: not list_contains($gone::varchar[], one))
where list_has_any(conversation_ids, $gone::varchar[])
