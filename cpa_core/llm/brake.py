"""One end for all that asks: whoever meets a reason to stop stops the others too."""

from collections.abc import Mapping

from cpa_core.errors import Stopped
from cpa_core.llm.watch import Watch


class Brake:
    """Shared by the `engines` of a pass and their threads. `why` is the first reason, null while asking goes on.

    `watches` are what the run has seen of its models, by their names; of others nothing is held against them.
    """

    def __init__(self, engines: int = 1, watches: Mapping[str, Watch] | None = None) -> None:
        self.engines = engines
        self.watches = dict(watches or {})
        self.why: Stopped | None = None

    def watch(self, model: str) -> Watch:
        """What the run has seen of this model, written `provider:model`."""
        return self.watches.setdefault(model, Watch(model, first=None))

    def stop(self, why: Stopped) -> None:
        """Let no further call begin."""
        self.why = self.why or why

    def check(self) -> None:
        """Raises the Stopped that asking was ended with."""
        if self.why:
            raise self.why
