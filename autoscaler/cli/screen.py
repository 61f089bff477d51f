"""The terminal that tables are printed to."""

from __future__ import annotations

import os
import sys

from rich.console import Console

PIPE_COLUMNS = 240


def screen() -> Console:
    """Standard output; where it is no terminal, wide enough that a file or a pipe gets whole lines."""
    narrow = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console() if narrow else Console(width=PIPE_COLUMNS)
