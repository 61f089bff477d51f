"""The same command as kubectl's plugin: `kubectl foresail …` runs `kubectl-foresail`, which is this."""

from __future__ import annotations


def main() -> None:
    from autoscaler.cli.app import main as command

    command("kubectl foresail")
