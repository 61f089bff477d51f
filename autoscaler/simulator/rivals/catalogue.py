"""Every rival at its published settings, in the order of the tables."""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.domain.series import Floats, Ints
from autoscaler.simulator.rivals.contract import TARGETS, Rival, World
from autoscaler.simulator.rivals.crane import CraneDsp
from autoscaler.simulator.rivals.floored import AwsHourly, KedaCron, SameTime
from autoscaler.simulator.rivals.hpa import DOWN_WINDOWS_S, Hpa, hpas_requested
from autoscaler.simulator.rivals.phpa import PhpaHoltWinters, PhpaLinear
from autoscaler.simulator.rivals.simple import SeasonalNaive, Static, TrailingMax

TRAILING_MINUTES = (15, 60, 180, 1440)


def rivals(knobs: tuple[float, ...] = TARGETS) -> tuple[Rival, ...]:
    """All of them on the ladder `knobs`; only the static one has counts for knobs, always its own."""
    return (
        *(Hpa(down_s, knobs) for down_s in DOWN_WINDOWS_S),
        KedaCron(knobs=knobs),
        PhpaLinear(knobs=knobs),
        PhpaHoltWinters(knobs=knobs),
        PhpaLinear(of="demand", knobs=knobs),
        PhpaHoltWinters(of="demand", knobs=knobs),
        CraneDsp(knobs=knobs),
        CraneDsp(history_days=3, future_s=0, knobs=knobs),
        AwsHourly("mean", knobs=knobs),
        AwsHourly("max", knobs=knobs),
        SameTime(knobs=knobs),
        *(TrailingMax(minutes, knobs) for minutes in TRAILING_MINUTES),
        SeasonalNaive(knobs=knobs),
        Static(),
    )


def all_requested(
    seen: Floats, world: World, knobs: tuple[float, ...] = TARGETS, unfit: dict[str, str] | None = None
) -> Iterator[tuple[Rival, Ints]]:
    """Each rival and what it asks for, [knob, step]; the HPAs share one pass over the recording.

    unfit: takes the rivals that cannot run at this step, by name, and why; without it they raise ValueError.
    """
    everyone = rivals(knobs)
    hpas = [rival for rival in everyone if isinstance(rival, Hpa)]
    stacked = hpas_requested(seen, world, tuple(h.down_s for h in hpas), knobs)
    for at, hpa in enumerate(hpas):
        yield hpa, stacked[at * len(knobs) : (at + 1) * len(knobs)]
    for rival in everyone:
        if isinstance(rival, Hpa):
            continue
        try:
            requested = rival.requested(seen, world)
        except ValueError as error:
            if unfit is None:
                raise
            unfit[rival.name] = str(error)
            continue
        yield rival, requested
