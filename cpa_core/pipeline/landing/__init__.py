"""Landing. In: the objects of a source. Out: landed messages, conversations, rejects, days that changed.

Called by `cpa land`, `cpa run` and the asset `landed_files`.
"""
