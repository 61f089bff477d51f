"""Metrics in: history on one grid, as trusted as its verdicts say. Knows the reader's port, no source."""
