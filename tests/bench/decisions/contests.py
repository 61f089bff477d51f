"""What is run: every trace at every lead and size, us over our risks and each rival over its knob; figures only.

Us and rivals are separate jobs with separate marks of the sources that they depend on, so that a change of ours does
not ask for the rivals again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from autoscaler.bootstrap.comparing import RISKS
from autoscaler.bootstrap.lanes import side_by_side
from autoscaler.bootstrap.simulate import MOST_REPLICAS, typed_workload
from autoscaler.bootstrap.worlds import World
from autoscaler.domain.workload import Actuation, Workload, WorkloadRef
from autoscaler.forecasting.catalogue import serving_models
from autoscaler.forecasting.serving import PeakServer
from autoscaler.simulator.comparison import Setting, Tuning, entries_and_ladders
from autoscaler.simulator.figures import Asked, Served
from tests.bench.decisions.traces import LISTED, Listed, capacity, load, warm_steps

LEADS_MIN: Final = (3, 10)
PEAKS: Final = (60, 320)
RISK: Final = 0.005
OURS: Final = "foresail"
CODE: Final = Path(__file__).resolve().parents[3] / "autoscaler"
HERE: Final = Path(__file__).resolve().parent
RIVAL_CODE: Final = (
    "simulator/rivals", "simulator/hpa", "simulator/clairvoyant.py", "simulator/comparison.py", "simulator/figures.py",
    "planning/need.py",
)  # fmt: skip
OUR_CODE: Final = (
    "domain", "intake", "forecasting", "planning", "guards", "actuation", "pipeline", "simulator",
    "bootstrap/lanes.py", "bootstrap/simulate.py", "bootstrap/comparing.py", "bootstrap/worlds.py",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OurJob:
    """Traces of one step and one window, in one run: a lane per trace, size and asked risk."""

    folder: Path
    listed: tuple[Listed, ...]
    lead_min: int


@dataclass(frozen=True, slots=True)
class RivalJob:
    folder: Path
    listed: Listed
    lead_min: int
    peak: int


def step_of(one: Listed) -> int:
    """Seconds, known without opening the file."""
    return 300 if one.source == "jumpstarter" else 60


def leads_of(one: Listed) -> tuple[int, ...]:
    """Minutes; a step that is longer than the lead cannot show it."""
    return tuple(lead for lead in LEADS_MIN if step_of(one) <= 60 * lead)


def our_jobs(folder: Path, chosen: tuple[Listed, ...] = LISTED) -> dict[str, OurJob]:
    groups: dict[str, list[Listed]] = {}
    for one in chosen:
        groups.setdefault(f"{one.source}-{one.series}" if one.source == "jumpstarter" else one.source, []).append(one)
    jobs = {}
    for name, some in groups.items():
        for lead in leads_of(some[0]):
            jobs[f"ours-{name.replace('/', '-')}-{lead}min"] = OurJob(folder, tuple(some), lead)
    return jobs


def rival_jobs(folder: Path, chosen: tuple[Listed, ...] = LISTED) -> dict[str, RivalJob]:
    return {
        f"rivals-{case_of(one, lead, peak)}": RivalJob(folder, one, lead, peak)
        for one in chosen
        for lead in leads_of(one)
        for peak in PEAKS
    }


def case_of(one: Listed, lead_min: int, peak: int) -> str:
    return f"{one.name}-{lead_min}min-{peak}"


def run_job(job: OurJob | RivalJob) -> dict[str, Any]:
    """Figures by case, and the processor seconds that they took."""
    began = time.process_time()
    figures = dict(_ours(job) if isinstance(job, OurJob) else _rivals(job))
    return {"seconds": time.process_time() - began, "cases": figures}


def _ours(job: OurJob) -> Iterator[tuple[str, dict[str, Any]]]:
    traces = [load(job.folder, one) for one in job.listed]
    first, warm = traces[0], warm_steps(traces[0])
    loads, rows, cases = [], [], []
    for one, trace in zip(job.listed, traces, strict=True):
        for peak in PEAKS:
            case = case_of(one, job.lead_min, peak)
            cases.append((case, one, peak))
            loads += [_load(f"{case}-{risk:g}", capacity(trace, peak), job.lead_min, risk) for risk in RISKS]
            rows += [trace.values] * len(RISKS)
    lanes = side_by_side(
        first.step_s, first.first_step, np.stack(rows), loads, World(warmup_s=float(warm * first.step_s)),
        server=PeakServer(serving_models()),  # without the packaged global model: it has learned from some of these
    )  # fmt: skip
    for at, (case, one, peak) in enumerate(cases):
        of_case = lanes[at * len(RISKS) : (at + 1) * len(RISKS)]
        scores = [lane.scores for lane in of_case]
        asked = scores[RISKS.index(RISK)]
        yield (
            case,
            {
                "trace": one.name,
                "source": one.source,
                "lead_min": job.lead_min,
                "peak": peak,
                "steps": asked.steps,
                "bound_hours": asked.bound_hours,
                "unserved_share": asked.unserved_share,
                "ladder": {
                    "name": OURS,
                    "knobs": RISKS,
                    "short": [s.short_share or 0.0 for s in scores],
                    "paid": [s.replica_hours for s in scores],
                    "error": [_relative_error(lane.served) for lane in of_case],
                },
            },
        )


def _relative_error(served: Served) -> float:
    """Standard error of the share of short steps, by days, over that share; 0 where nothing was short."""
    day = np.arange(len(served.demand)) * served.step_s // 86_400
    by_day = np.bincount(day, weights=served.short)[np.bincount(day, weights=served.scored) > 0]
    mean = float(by_day.mean()) if len(by_day) else 0.0
    return float(by_day.std(ddof=1) / np.sqrt(len(by_day)) / mean) if mean and len(by_day) > 1 else 0.0


def _load(name: str, per_replica: float, lead_min: int, risk: float) -> Workload:
    load = typed_workload(per_replica, lead_s=60.0 * lead_min, risk=risk, actuation=Actuation.SCALE)
    return replace(load, ref=WorkloadRef("bench", name.replace(".", "-")))


def _rivals(job: RivalJob) -> Iterator[tuple[str, dict[str, Any]]]:
    trace = load(job.folder, job.listed)
    lead, nobody = -(-60 * job.lead_min // trace.step_s), np.zeros(len(trace.values), dtype=np.int64)
    served = Served(
        step_s=trace.step_s,
        first_step=trace.first_step,
        scored_step=trace.first_step + warm_steps(trace),
        capacity=capacity(trace, job.peak),
        demand=trace.values,
        ready=nobody,
        running=nobody,
    )
    unfit: dict[str, str] = {}
    ladders = []
    for ladder, entries in entries_and_ladders(
        served, Asked(lead, RISK), trace.values, Setting(starting=lead), most=MOST_REPLICAS, unfit=unfit
    ):
        causal = next((e.scores for e in entries if e.tuning is Tuning.CAUSAL), None)
        ladders.append(
            {
                "name": ladder.name,
                "knobs": ladder.knobs,
                "short": ladder.scores.short.tolist(),
                "paid": ladder.scores.paid.tolist(),
                "causal": None if causal is None else [causal.short_share or 0.0, causal.replica_hours],
            }
        )
        bound_hours = ladder.scores.bound_hours
    yield (
        case_of(job.listed, job.lead_min, job.peak),
        {"bound_hours": bound_hours, "ladders": ladders, "unfit": unfit},
    )


def mark(parts: tuple[str, ...], root: Path = CODE) -> str:
    """Of the sources that a figure depends on, this list of traces included: another mark, another figure."""
    sums = hashlib.sha256()
    for part in parts:
        found = sorted((root / part).rglob("*.py")) if (root / part).is_dir() else [root / part]
        for path in found:
            sums.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    for name in ("traces.py", "contests.py"):
        sums.update((HERE / name).read_bytes())
    return sums.hexdigest()[:12]
