"""Forgetting a person or a conversation: what goes, how it goes, and what keeps it from landing again."""
