"""The benchmark of anomaly detection: `make bench-anomalies`, or

    nice -n 15 .venv/bin/python -m tests.bench.anomalies [--data DIR] [--docs DIR] [--scratch DIR] [--skip-speed]

Long runs are kept in --scratch while code and data are the same. Exit codes: 0 every aim is reached, 1 one is missed
(the page is written and says which), 2 data is missing, and the file is named.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from autoscaler.domain.series import Bools, Floats
from tests.bench.anomalies import cases as recorded
from tests.bench.anomalies import nezha, picture, prophets, rivals
from tests.bench.anomalies.cases import FILES, Case
from tests.bench.anomalies.measure import Curve, Scored, curves, grid_of, transfer, vus_pr
from tests.bench.anomalies.ours import ASKED, Ours, kept, relived
from tests.bench.anomalies.page import PAGE, SEVERITY, Figures, Kinds, Promise, Run, Table, page, within
from tests.bench.anomalies.speed import measured_speed

ROOT: Final = Path(__file__).resolve().parents[3]
BUDGETS: Final = (0.25, 1.0)
TRAINED_UNTIL: Final = 5760
"""Steps of jumpstarter's training data."""
PROPHET: Final = "Prophet residual"
MANY: Final = ("IForest, window features", PROPHET)
"""Too slow for 570 series: asked of the others, Prophet of nab alone."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "benchmarks")
    parser.add_argument("--scratch", type=Path, default=ROOT / "out" / "bench-anomalies")
    parser.add_argument("--skip-speed", action="store_true", help="leave the figures of speed out")
    asked = parser.parse_args(arguments)
    if gone := [path for path in FILES.values() if not (asked.data / path).exists()]:
        for path in gone:
            print(
                f"{asked.data / path} is missing: the benchmark cannot be made without it (--data DIR)", file=sys.stderr
            )
        return 2
    warnings.simplefilter("ignore", RuntimeWarning)  # means over nothing are NaN, on purpose
    began = time.monotonic()
    missing: dict[str, str] = {}
    tables, promises = _tables(asked.data, asked.scratch, missing)
    shop = nezha.load(asked.data)
    scores = {PAGE: nezha.ours(shop), **nezha.rivals(shop)}
    kinds = Kinds(
        {name: {b: nezha.by_kind(shop, s, b) for b in nezha.FALSE_A_DAY} for name, s in scores.items()},
        nezha.FALSE_A_DAY,
    )
    asked.docs.mkdir(parents=True, exist_ok=True)
    seen = picture.draw(asked.data / FILES["bizitobs"], asked.docs / "anomalies.svg")
    fast = None if asked.skip_speed else measured_speed(asked.scratch)
    run = Run(f"{datetime.now(UTC):%Y-%m-%d}", _commit(), time.monotonic() - began, missing)
    text, aims = page(tables, promises, kinds, seen, fast, run)
    (asked.docs / "anomalies.md").write_text(text, encoding="utf-8")
    for aim in aims:
        print(f"{'reached' if aim.reached else 'MISSED '}  {aim.words}: {aim.found}")
    return 0 if all(aim.reached for aim in aims) else 1


def _tables(data: Path, scratch: Path, missing: dict[str, str]) -> tuple[list[Table], list[Promise]]:
    tables, promises = [], []
    services = recorded.jumpstarter(data)
    for name, some in (("nab", recorded.nab(data)), ("ms-cloud", recorded.ms_cloud(data)), ("jumpstarter", [services])):
        found = [relived(case, scratch) for case in some]
        _say(f"{name}: ours")
        scores: dict[str, list[Floats]] = {PAGE: [o.surprise for o in found], SEVERITY: [o.severity for o in found]}
        scores |= _rivals(name, some, scratch, missing)
        tables.append(_table(name, some, scores))
        if name == "jumpstarter":
            without = [services.without(recorded.FLEET_INCIDENT)]
            tables.append(_table("jumpstarter without the fleet incident", without, scores))
        promises.append(_promise(name, some, found))
    promises.append(Promise.pooled(promises))
    return tables, promises


def _rivals(name: str, some: Sequence[Case], scratch: Path, missing: dict[str, str]) -> dict[str, list[Floats]]:
    out: dict[str, list[Floats]] = {}
    for title, rival in rivals.UNIVARIATE.items():
        if (name == "jumpstarter" and title in MANY) or (name != "nab" and title == PROPHET):
            continue
        code = [Path(prophets.__file__ if title == PROPHET else rivals.__file__)]
        try:
            out[title] = [
                kept(scratch, f"{title}-{c.name}-{c.step_s}", code, c, partial(_any, c, rival))["score"] for c in some
            ]
        except ImportError as why:
            missing[title] = str(why)
            print(f"!!! {title} does not take part: {why}", file=sys.stderr, flush=True)
            continue
        _say(f"{name}: {title}")
    if name == "jumpstarter":
        (case,) = some
        found = kept(
            scratch,
            "vector-jumpstarter",
            [Path(rivals.__file__)],
            case,
            lambda: dict(rivals.vector_rivals(case, TRAINED_UNTIL)),
        )
        out |= {title: [score] for title, score in found.items()}
    return out


def _any(case: Case, rival: rivals.Rival) -> dict[str, Floats]:
    return {"score": rivals.any_metric(case, rival(case))}


def _table(name: str, some: Sequence[Case], scores: Mapping[str, Sequence[Floats]]) -> Table:
    rows = {}
    for title, each in scores.items():
        scored = [Scored(case, score) for case, score in zip(some, each, strict=True)]
        levels = grid_of(scored)
        found: list[Curve] = []
        steps: list[int] = []
        for one in scored:
            mine = curves(one, levels)
            found += mine
            steps += [one.case.step_s] * len(mine)
        vus = [
            vus_pr(c.labels[g][at], s[g][at])
            for c, s in zip(some, each, strict=True)
            for g in range(len(c.groups))
            for at in (_counted(c, g),)
        ]
        rows[title] = Figures({b: transfer(found, steps, b) for b in BUDGETS}, float(np.nanmean(vus)))
        _say(f"{name}: {title}: {rows[title].words}")
    events = sum(len(c.events()) for c in some)
    return Table(name, sum(len(c.groups) for c in some), float(sum(c.weeks.sum() for c in some)), events, rows)


def _counted(case: Case, g: int) -> Bools:
    """Steps that are scored and, of a single series, observed."""
    rows = case.values[case.group == g]
    return np.asarray(case.scored[g] & ~np.isnan(rows).all(axis=0))


def _promise(name: str, some: Sequence[Case], found: Sequence[Ours]) -> Promise:
    """Asked and realised false pages with what ships: nothing is moved."""
    weeks = float(sum(c.weeks.sum() for c in some))
    came = {b: sum(within(c, o.rate, b) for c, o in zip(some, found, strict=True)) for b in ASKED}
    return Promise(name, weeks, came)


def _say(words: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S}  {words}", flush=True)


def _commit() -> str:
    def git(*words: str) -> str:
        return subprocess.run(("git", "-C", str(ROOT), *words), capture_output=True, text=True, check=False).stdout

    parts = ("autoscaler/detection", "tests/bench/anomalies")
    changed = git("status", "--porcelain", "--", *parts)
    return (git("rev-parse", "--short", "HEAD").strip() or "unknown") + (" with changes" if changed else "")


if __name__ == "__main__":
    sys.exit(main())
