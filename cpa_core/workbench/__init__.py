"""The workbench: a local page to review, read and edit. In: a home and people's reviews.

Out: reviews, draws, the schema.

Called by `cpa serve`. It starts no run, and asks the model only about the conversation that somebody tries a schema on.
Reviews are written to files of the home, not to the store.
"""
