"""Transcripts of an AI assistant in, trustworthy product events out, day by day."""

import sys

if sys.platform == "win32":
    raise ImportError(
        "Windows is not supported: runs at once keep out of each other's way by locks of POSIX systems (fcntl). "
        "Install and run this in WSL 2, or in a container."
    )

__version__ = "0.2.0"
