"""The command that serves the workbench."""

import sys
import webbrowser

from cpa_core.cli.display import existing
from cpa_core.cli.screen import say
from cpa_core.pipeline import Assistant
from cpa_core.settings import Settings
from cpa_core.workbench.door import door_of, is_local
from cpa_core.workbench.serving import serve


def serve_command(given: Settings, host: str, port: int, *, open_browser: bool, read_only: bool) -> int:
    """Serve until interrupted. Beyond this machine only with a password."""
    existing(given)
    door = door_of(given, host, port)

    def said(address: str) -> None:
        who = "Only a browser on this machine" if is_local(host) else "Who has this address, or the password,"
        say(f"workbench: {address}", f"{who} can open it. Ctrl-C ends it.")
        sys.stdout.flush()
        if open_browser:
            webbrowser.open(address)

    serve(Assistant.of(given), door, said, read_only=read_only)
    return 0
