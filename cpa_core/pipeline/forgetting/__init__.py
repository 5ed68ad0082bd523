"""Forgetting a person or a conversation: what goes, how it goes, and what keeps it from landing again.

In: ids of users and conversations; every table, and every file of the home. Out: the same without them, and tombstones,
which each landing reads. Called by the command `cpa forget`, and by a landing.
"""
