"""Labelling a day. In: the built day and the schema. Out: tagged events, judgments, failures.

Called by `pipeline.run` and the assets `tagged_events` and `judge_scores`.
"""
