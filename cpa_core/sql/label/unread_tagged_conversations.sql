-- The context of these conversations changed: they are tagged again.
update tagged_conversations set content_hash = '' where day = $day and list_contains($ids::varchar[], conversation_id)
