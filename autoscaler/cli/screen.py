"""The terminal that tables are printed to."""

from __future__ import annotations

import sys

from rich.console import Console

PIPE_COLUMNS = 240


def screen() -> Console:
    """Standard output; where it is no terminal, wide enough that a file or a pipe gets whole lines."""
    return Console() if sys.stdout.isatty() else Console(width=PIPE_COLUMNS)
