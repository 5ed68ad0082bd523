"""One end for all that asks: whoever meets a reason to stop stops the others too."""

from cpa_core.errors import Stopped


class Brake:
    """Shared by the `engines` of a pass and their threads. `why` is the first reason, null while asking goes on."""

    def __init__(self, engines: int = 1) -> None:
        self.engines = engines
        self.why: Stopped | None = None

    def stop(self, why: Stopped) -> None:
        """Let no further call begin."""
        self.why = self.why or why

    def check(self) -> None:
        """Raises the Stopped that asking was ended with."""
        if self.why:
            raise self.why
