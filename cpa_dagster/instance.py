"""A Dagster instance whose daemon checks for backfills every few seconds.

Dagster's backfill daemon (1.13.27) sleeps 30 seconds between two checks and offers no setting for it
(github.com/dagster-io/dagster/issues/11649). The daemon reads the interval from a constant when its thread starts.
`dagster.yaml` names this class under `instance_class`; it sets the constant in the daemon's process.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from dagster._serdes import ConfigurableClassData

BACKFILL_INTERVAL = 5
"""Seconds between the daemon's checks for backfills, unless `dagster.yaml` sets another value."""


class Instance(dg.DagsterInstance):
    """Dagster's own instance, with the setting `backfill_interval_seconds` in `dagster.yaml`."""

    def __init__(self, *given: Any, backfill_interval_seconds: int = BACKFILL_INTERVAL, **more: Any) -> None:
        super().__init__(*given, **more)
        self._backfill_interval_seconds = backfill_interval_seconds

    @classmethod
    def config_schema(cls) -> Mapping[str, dg.Field]:
        """The settings that this class adds to those of `dagster.yaml`."""
        about = "Seconds between two looks of the daemon for backfills."
        return {
            "backfill_interval_seconds": dg.Field(
                int, default_value=BACKFILL_INTERVAL, is_required=False, description=about
            )
        }

    @staticmethod
    def config_defaults(base_dir: str) -> Mapping[str, ConfigurableClassData | None]:
        """Return Dagster's own storage in a folder as the default for parts that `dagster.yaml` does not name."""
        return InstanceRef.config_defaults(base_dir)

    def get_required_daemon_types(self) -> Sequence[str]:
        """The daemons of this instance. The daemon's process asks for them before it starts their threads."""
        from dagster._daemon import controller  # no other process needs the daemon's modules

        controller.DEFAULT_DAEMON_INTERVAL_SECONDS = self._backfill_interval_seconds
        return super().get_required_daemon_types()
