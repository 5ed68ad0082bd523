"""Forgetting a person or a conversation: the data to remove, its removal, and the tombstones against a new landing.

In: ids of users and conversations; every table, and every file of the home. Out: the same without them, and tombstones,
which each landing reads. Called by the command `cpa forget`, and by a landing.
"""
