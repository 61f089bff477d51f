"""The order in which `foresail --help` names its commands: that of their use, from a first look to the machinery."""

from __future__ import annotations

from typing import Final

import typer
from typer.core import TyperGroup

ORDER: Final = (
    "demo", "advise", "report", "simulate", "doctor",
    "run", "operator", "once", "get", "explain", "history", "anomalies", "export", "pause", "resume", "release",
    "policy", "import", "crds", "notify",
    "capacity", "outlook", "backtest", "train", "models",
)  # fmt: skip


class InOrderOfUse(TyperGroup):
    """A command that has no place yet comes last."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
