"""The factory of every asset of an assistant: its key, group, owners and resources are the same wherever it stands."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from cpa_dagster.days import Step, errors_of
from cpa_dagster.options import RunOptions, SecretKeys
from cpa_dagster.resources import Pipeline

REPORTING = "insights"
"""The group of the assets beside the report: the jobs of days do not wait for them."""

Results = Iterator[Any]
"""The events that an asset yields to Dagster: its result, materializations, observations, results of checks."""

Compute = Callable[..., Results]
"""The work of an asset, given its step, and its configuration if it has one."""


@dataclass(frozen=True)
class Form:
    """The parts in which one asset differs from another.

    `about` are the paragraphs of its description; the assistant's note follows. `config` is the class of its own
    configuration in the Launchpad. `is_daily`: it has a partition for each day. `is_skippable`: a run without a result
    leaves out the assets after it.
    """

    name: str
    about: Sequence[str]
    compute: Compute
    deps: Sequence[dg.AssetKey | dg.AssetDep] = ()
    group: str = REPORTING
    kinds: frozenset[str] = frozenset({"duckdb"})
    metadata: Mapping[str, Any] = field(default_factory=dict)
    config: type[dg.Config] | None = None
    condition: dg.AutomationCondition[Any] | None = None
    freshness: dg.FreshnessPolicy | None = None
    pool: str | None = None
    checks: Sequence[dg.AssetCheckSpec] = ()
    is_daily: bool = False
    is_skippable: bool = False


def asset_of(pipeline: Pipeline, form: Form) -> dg.AssetsDefinition:
    """Return the asset of one assistant. A range of days is one run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # the parameter backfill_policy is marked so
        return dg.asset(
            key=pipeline.key(form.name),
            deps=list(form.deps),
            partitions_def=pipeline.days if form.is_daily else None,
            backfill_policy=dg.BackfillPolicy.single_run(),
            automation_condition=form.condition,
            freshness_policy=form.freshness,
            group_name=pipeline.named(form.group),
            output_required=not form.is_skippable,
            pool=form.pool,
            check_specs=form.checks,
            kinds=set(form.kinds),
            owners=list(pipeline.owners),
            description="\n\n".join(filter(None, [*form.about, pipeline.note])),
            metadata={**form.metadata, "home": str(pipeline.assistant.settings.home)},
        )(_function(pipeline, form))


def of_metadata(shown: Callable[..., dict[str, Any]]) -> Compute:
    """Return the work of an asset whose only result is the metadata that `shown` returns."""

    def compute(step: Step, *config: Any) -> Results:
        with errors_of(step):
            metadata = shown(step, *config)
        yield dg.MaterializeResult(metadata=metadata)

    return compute


def _function(pipeline: Pipeline, form: Form) -> Callable[..., Results]:
    """The function that Dagster calls. It reads the class of the configuration from the annotation."""

    def plain(context: dg.AssetExecutionContext, options: RunOptions, keys: SecretKeys) -> Results:
        yield from form.compute(Step(context, pipeline, options, keys))

    def configured(
        context: dg.AssetExecutionContext, config: dg.Config, options: RunOptions, keys: SecretKeys
    ) -> Results:
        yield from form.compute(Step(context, pipeline, options, keys), config)

    configured.__annotations__["config"] = form.config
    return configured if form.config else plain
