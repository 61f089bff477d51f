"""`foresail policy diff`."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoscaler.cli.inputs import output_kind, seconds
from autoscaler.domain.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from autoscaler.bootstrap.policies_diff import Difference
    from autoscaler.bootstrap.policies_effect import Effect
    from autoscaler.domain.workload import Workload


LEAST_SINCE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Simulated:
    """Whose recorded demand both sides are tried on, as typed; None = not given. query: default: the workload's own."""

    workload: str | None = None
    trace: Path | None = None
    prometheus: str | None = None
    query: str | None = None
    since: str | None = None
    column: str | None = None
    series: str | None = None
    censored_column: str | None = None
    censored_query: str | None = None
    step: str | None = None

    @property
    def asked(self) -> bool:
        """Whether a demand is named, or something that only goes with one."""
        return any(v is not None for v in (self.trace, self.prometheus, self.query, self.since))


def run_diff(
    sides: tuple[Path, Path], workloads: tuple[Path, ...], site: str | None, simulated: Simulated,
    *, fail_on: str, output: str,
) -> None:  # fmt: skip
    """Print what changes; exit code 1 if something does, or only for what is risky and not acknowledged."""
    from autoscaler.bootstrap.policies_git import at_revision

    output_kind(output)
    if fail_on not in {"change", "risky"}:
        raise Refused(f"--fail-on {fail_on!r} is not known; use change or risky")
    with at_revision(sides[0]) as old, at_revision(sides[1]) as new:
        _run((old, new), workloads, site, simulated, fail_on=fail_on, output=output)


def _run(
    sides: tuple[Path, Path], workloads: tuple[Path, ...], site: str | None, simulated: Simulated,
    *, fail_on: str, output: str,
) -> None:  # fmt: skip
    from autoscaler.bootstrap.policies_diff import acknowledged_in, differences, loads_of, only_in

    old, new = sides
    before, after = loads_of([old], workloads, site), loads_of([new], workloads, site)
    found = differences(before, after, acknowledged_in([new]), time.time())
    gone, come = only_in(before, after)
    if not before.keys() & after.keys():
        raise Refused("no workload is on both sides, so nothing can be compared; name their files with --workloads")
    effects = _effects(before, after, simulated, (new, *workloads)) if simulated.asked else None
    if output == "json":
        told: dict[str, Any] = {"changes": [asdict(d) for d in found], "onlyBefore": gone, "onlyAfter": come}
        if effects is not None:
            told["effect"] = {"workload": effects[0], "before": asdict(effects[1]), "after": asdict(effects[2])}
        print(json.dumps(told, indent=2))  # noqa: T201
    else:
        print("\n".join(_lines(found, gone, come)))  # noqa: T201
        if effects is not None:
            print("\n".join(_effect_lines(*effects)))  # noqa: T201
    if any(d.stops for d in found) or (fail_on == "change" and (found or gone or come)):
        raise SystemExit(1)


def _effects(
    before: Mapping[str, Workload], after: Mapping[str, Workload], simulated: Simulated, paths: tuple[Path, ...]
) -> tuple[str, Effect, Effect]:
    from autoscaler.bootstrap.policies_effect import effect, own_record
    from autoscaler.cli.recorded import recorded_demand

    both = sorted(before.keys() & after.keys())
    fitting = [n for n in both if simulated.workload in {None, n, n.rpartition("/")[2]}]
    if len(fitting) != 1:
        raise Refused(f"a recorded demand is one workload's; name it with --workload: {', '.join(both[:10])}")
    load = after[fitting[0]]
    if simulated.prometheus is not None and simulated.query is None and len(load.demands) == 1:
        simulated = replace(simulated, query=load.demands[0].query)
    if simulated.trace is None and simulated.prometheus is None and simulated.query is None:
        since_s = seconds("--since", simulated.since or "30d", least=LEAST_SINCE_S, most=math.inf)
        record = own_record(paths, load, since_s, time.time())
    else:
        record = recorded_demand(simulated)
    return fitting[0], effect(before[fitting[0]], record), effect(load, record)


def _lines(found: tuple[Difference, ...], gone: tuple[str, ...], come: tuple[str, ...]) -> Iterator[str]:
    yield from (f"{name} is only on the old side" for name in gone)
    yield from (f"{name} is only on the new side" for name in come)
    for d in found:
        more = f" and {len(d.workloads) - 3} more" if len(d.workloads) > 3 else ""
        yield f"{', '.join(d.workloads[:3])}{more}: {d.field}"
        yield f"  was  {d.before or 'not set'}"
        yield f"  now  {d.after or 'not set'}" + (f", by {d.rule}" if d.rule else "")
        if d.risky:
            yield f"  look twice: {d.risky}" + (" (acknowledged)" if d.acknowledged else "")
    if not (found or gone or come):
        yield "no workload gets another limit"


def _effect_lines(name: str, before: Effect, after: Effect) -> Iterator[str]:
    yield f"over {before.hours:.0f} h of recorded demand, {name} would have"
    for label, effect in (("old", before), ("new", after)):
        told = [f"{effect.replica_hours:,.0f} replica-hours", f"{effect.short_minutes:,.0f} minutes short of capacity"]
        told.append(f"{effect.most} replicas at most")
        if effect.cost is not None:
            told.append(f"{effect.cost:,.2f} in all at its price")
        if effect.budget_minutes is not None:
            told.append(f"{effect.budget_minutes:,.0f} minutes at the budget, had it that alone")
        yield f"  {label}  {', '.join(told)}"
