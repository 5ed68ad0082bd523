"""The Dagster code location: it names, configures and reports; everything that is done is in `cpa_core.pipeline`."""
