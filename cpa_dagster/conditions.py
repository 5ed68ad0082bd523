"""The automation conditions of the insights and the report: they are rebuilt after any day that they depend on changes.

Dagster's `eager` considers only the newest day, so it drops late ones. It also waits until no upstream day is missing,
and days without conversations always are. Neither condition includes the schema: an edit of it changes no day.
"""

import dagster as dg

EVERY_DAY = (
    dg.AutomationCondition.any_deps_updated().since_last_handled()
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
).with_label("its day was labelled anew")
"""For a partitioned asset: each day of which an upstream day was materialized since."""

ANY_DAY = (
    dg.AutomationCondition.any_deps_updated().since_last_handled()
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
).with_label("a day was labelled anew")
"""For an asset of all days: whenever one of them was materialized, once nothing upstream is under way."""
