"""When the insights and the report are made anew: after what they are made from, whatever day that is of.

Dagster's `eager` looks at the newest day only, and so drops late ones; and it waits until no upstream day is missing,
which days without conversations always are. The schema is no part of either: an edit of it changes no day.
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
