"""The Dagster code location: it names, configures and reports; everything that is done is in `cpa_core.pipeline`."""

from cpa_dagster.component import ConversationAnalytics

__all__ = ["ConversationAnalytics"]
