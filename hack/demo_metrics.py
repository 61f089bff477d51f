"""`make demo-metrics`: the demo's week in a real Prometheus, decided by querying it at past instants.

The synthetic shop (outage included: no samples) is loaded as history into a Prometheus on loopback. The service is the
one that `foresail run` starts; only its clock is virtual. At the end the same week is decided from the file itself, and
the two are compared tick by tick.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from autoscaler.bootstrap.service import Service, service  # noqa: E402 - the tests' servers are found from the root
from autoscaler.bootstrap.settings import ServiceSettings  # noqa: E402
from autoscaler.domain.decision import Decision  # noqa: E402
from autoscaler.domain.sparkline import sparkline  # noqa: E402
from autoscaler.simulator.clock import VirtualClock  # noqa: E402
from autoscaler.simulator.shop import LABEL, ShopLoad, shop_load, shop_window  # noqa: E402
from tests.real.history import series  # noqa: E402
from tests.real.prometheus import Prometheus, Settings  # noqa: E402

STEP_S, DAY = 60, 1440
QUERY = 'sum(shop_requests_per_second{job="web"})'
FLEET = """\
apiVersion: foresail.dev/v1alpha1
kind: MetricsSource
metadata: {{name: prod}}
spec: {{{source}}}
---
apiVersion: foresail.dev/v1alpha1
kind: PredictiveAutoscaler
metadata: {{name: web, namespace: shop}}
spec:
  target: {{apiVersion: apps/v1, kind: Deployment, name: web}}
  mode: Act
  demands:
  - {{name: requests, source: prod, query: '{query}', capacity: {{perReplica: "45"}}}}
  replicas: {{min: 2, max: 200}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=7, help="how much of the week (1 to 7)")
    parser.add_argument("--out", type=Path, default=Path("out/demo-metrics"), help="folder for the record")
    given = parser.parse_args()
    days = min(7, max(1, given.days))
    console = Console(soft_wrap=True)
    window = shop_window()
    load = shop_load(window.first_step, window.week_step + days * DAY - window.first_step)
    steps = range(window.week_step, window.week_step + days * DAY)
    given.out.mkdir(parents=True, exist_ok=True)
    for stale in given.out.glob("demo-metrics*"):
        stale.unlink()

    with tempfile.TemporaryDirectory(prefix="foresail-") as scratch:
        server = Prometheus(Path(scratch) / "prometheus", Settings())
        began = time.monotonic()
        server.load({series("shop_requests_per_second", job="web"): samples_of(load)})
        server.start()
        console.print(f"{LABEL}: {len(load.seen)} minutes in a real Prometheus in {time.monotonic() - began:.1f} s")
        try:
            asked = decide(
                given.out, "prometheus", f"prometheus: {{url: '{server.url}'}}", QUERY, steps=steps, console=console
            )
            told(asked, load, console)
        finally:
            server.stop()
    recording = Path(given.out / "demo-metrics.csv")
    write_csv(load, recording)
    read = decide(given.out, "file", f"file: {{path: '{recording.name}'}}", "web", steps=steps, console=console)
    compare(asked, read, console)
    record = given.out / "demo-metrics-prometheus.db"
    inside = [e.first_step + 10 for e in load.events if e.first_step + 10 in steps]
    at = datetime.fromtimestamp((inside[0] if inside else steps[len(steps) // 2]) * STEP_S, UTC)
    console.print(f"ask why: .venv/bin/foresail explain shop/web --store {record} --at {at:%Y-%m-%dT%H:%M:%SZ}")


def samples_of(load: ShopLoad) -> tuple[list[float], list[float]]:
    """A sample stands at the end of the step that it tells about; what nobody saw has none."""
    known = ~np.isnan(load.seen)
    times = (np.arange(len(load.seen)) + load.first_step + 1) * STEP_S
    return times[known].tolist(), load.seen[known].tolist()


def write_csv(load: ShopLoad, path: Path) -> None:
    lines = ["ts,series,value"]
    for k, value in enumerate(load.seen.tolist()):
        if value == value:  # noqa: PLR0124 - NaN is no row
            at = datetime.fromtimestamp((load.first_step + k) * STEP_S, UTC)
            lines.append(f"{at:%Y-%m-%dT%H:%M:%SZ},web,{value!r}")
    path.write_text("\n".join(lines) + "\n")


def decide(out: Path, name: str, source: str, query: str, *, steps: range, console: Console) -> list[Decision]:
    """One decision a minute by the live service at past instants."""
    fleet = out / f"demo-metrics-{name}.yaml"
    fleet.write_text(FLEET.format(source=source, query=query))
    clock = VirtualClock(datetime.fromtimestamp(steps[0] * STEP_S, UTC))
    store = out / f"demo-metrics-{name}.db"
    running = service(ServiceSettings((fleet,), store, STEP_S, float(STEP_S), listen=None, beside=False), clock)
    try:
        return list(_ticks(running, clock, steps, f"deciding from {name}", console))
    finally:
        running.close()


def _ticks(running: Service, clock: VirtualClock, steps: range, what: str, console: Console) -> Iterator[Decision]:
    for step in track(steps, description=what, console=console, disable=not console.is_terminal):
        clock.at = datetime.fromtimestamp(step * STEP_S, UTC)
        decisions = running.tick()
        if decisions is None:
            raise SystemExit(f"the tick of {clock.at} failed: {running.last_error}")
        running.store.flush()
        yield decisions[0]


def told(found: list[Decision], load: ShopLoad, console: Console) -> None:
    """A line a day, and what was decided around each event."""
    for low in range(0, len(found), DAY):
        day = found[low : low + DAY]
        seen = [d.demands[0].observed for d in day]
        verdicts = {d.demands[0].verdict.name for d in day}
        console.print(
            f"{day[0].at:%a %d %b}  {sparkline(seen, 60)}  floor {min(d.granted for d in day)}–"
            f"{max(d.granted for d in day)}  {', '.join(sorted(verdicts))}"
        )
    for event in load.events:
        inside = [d for d in found if event.first_step <= int(d.at.timestamp()) // STEP_S < event.end_step + 3]
        if inside:
            first, last = inside[0], inside[-1]
            console.print(f"{event.name}: floor {first.granted} at {first.at:%H:%M}, {last.granted} at {last.at:%H:%M}")
            for each in (inside[len(inside) // 2], last):
                note = each.demands[0].note
                words = "; ".join(each.words) + (f" ({note})" if note else "")
                console.print(f"  {each.at:%a %H:%M} {words}")


def compare(asked: list[Decision], read: list[Decision], console: Console) -> None:
    """Where samples are lost the two may differ: a file has a gap, Prometheus answers the sample before it for a while,
    says when that is too old, and recovers with care.
    """
    differ = [(a, b) for a, b in zip(asked, read, strict=True) if a.granted != b.granted]
    console.print(f"{len(asked)} ticks from Prometheus and from the file: {len(asked) - len(differ)} decided the same")
    if differ:
        lower = sum(a.granted < b.granted for a, b in differ)
        first, last = differ[0][0].at, differ[-1][0].at
        console.print(f"  the others from {first:%a %H:%M} to {last:%a %H:%M}; Prometheus' floor was lower in {lower}")
        console.print("  (around lost samples: the file has a gap, Prometheus answers the sample before it)")


if __name__ == "__main__":
    main()
