"""The Dagster code location: it names, configures and reports; all work is done in `cpa_core.pipeline`."""

from cpa_dagster.component import ConversationAnalytics

__all__ = ["ConversationAnalytics"]
