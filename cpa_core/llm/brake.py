"""One brake for all engines of a pass: the first that has a reason to stop also stops the others."""

from collections.abc import Mapping

from cpa_core.errors import Stopped
from cpa_core.llm.watch import Watch


class Brake:
    """Shared by the `engines` of a pass and their threads.

    `why` is the first reason to stop, null while the engines ask.

    `watches` are the run's observations of its models, by name; a model without one is not stopped for its answers.
    """

    def __init__(self, engines: int = 1, watches: Mapping[str, Watch] | None = None) -> None:
        self.engines = engines
        self.watches = dict(watches or {})
        self.why: Stopped | None = None

    def watch(self, model: str) -> Watch:
        """Return the run's watch of this model, written `provider:model`."""
        return self.watches.setdefault(model, Watch(model, first=None))

    def stop(self, why: Stopped) -> None:
        """Let no further call begin."""
        self.why = self.why or why

    def check(self) -> None:
        """Raise the reason for which asking was stopped, if it was."""
        if self.why:
            raise self.why
