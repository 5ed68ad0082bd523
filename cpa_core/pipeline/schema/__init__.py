"""The event schema in a home. In: `schema.yml`. Out: the version in force, stale days, proposals, drift.

Called by every stage that labels or reports, and by `cpa schema`.
"""
