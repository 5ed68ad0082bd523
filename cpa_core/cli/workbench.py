"""The command that serves the workbench."""

import sys
import webbrowser

from cpa_core.cli.display import existing
from cpa_core.cli.screen import say
from cpa_core.pipeline import Assistant
from cpa_core.settings import Settings
from cpa_core.workbench.serving import serve


def serve_command(given: Settings, port: int, *, open_browser: bool, read_only: bool) -> int:
    """Serve until interrupted, on 127.0.0.1 only."""
    existing(given)

    def said(address: str) -> None:
        say(f"workbench: {address}", "Only a browser on this machine can open it. Ctrl-C ends it.")
        sys.stdout.flush()
        if open_browser:
            webbrowser.open(address)

    serve(Assistant.of(given), port, said, read_only=read_only)
    return 0
