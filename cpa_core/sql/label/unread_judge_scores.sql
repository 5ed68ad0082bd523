-- The context of these conversations changed: they are judged again.
update judge_scores set content_hash = '' where day = $day and list_contains($ids::varchar[], conversation_id)
