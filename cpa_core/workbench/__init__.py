"""The workbench: a local page to review, read and edit. In: a home, what people say. Out: reviews, draws, the schema.

Called by `cpa serve`. It asks no model and starts no run; what people say goes to files of the home, not to the store.
"""
