"""The scoreboard of decisions: `make bench-decisions`, or

    nice -n 15 .venv/bin/python -m tests.bench.decisions [--data DIR] [--only NAME ...] [--workers N] [--dask ADDRESS]

Finished jobs are kept in the cache by the sources that they depend on; a new start goes on from there. Without all of
the data it ends with 2 and names the file; where an aim is missed, with 1. `--only` writes its page beside the cache:
part of a scoreboard is none.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from autoscaler.bootstrap.jobs import Failed, run_jobs, scheduler_of
from autoscaler.domain.errors import AutoscalerError, Retryable
from tests.bench.decisions.aims import aims, broken
from tests.bench.decisions.contests import (
    CODE,
    OUR_CODE,
    PEAKS,
    RISK,
    RIVAL_CODE,
    OurJob,
    RivalJob,
    mark,
    our_jobs,
    rival_jobs,
    run_job,
)
from tests.bench.decisions.contests import case_of as case_named
from tests.bench.decisions.page import Told, page
from tests.bench.decisions.picture import draw
from tests.bench.decisions.standings import Case, case_of
from tests.bench.decisions.traces import LISTED, absent

ROOT: Final = CODE.parent
PICTURE: Final = "decisions.svg"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--cache", type=Path, default=ROOT / "out" / "bench-decisions")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "benchmarks")
    parser.add_argument("--only", nargs="+", choices=[one.name for one in LISTED], help="these loads alone")
    parser.add_argument("--workers", type=int, help="processes; as many as cores unless given")
    parser.add_argument("--dask", help="address of a Dask scheduler; FORESAIL_DASK is the same")
    asked = parser.parse_args(arguments)
    chosen = tuple(one for one in LISTED if not asked.only or one.name in asked.only)
    if gone := absent(asked.data, chosen):
        for path in gone:
            print(f"{path} is missing: the scoreboard cannot be made without it (--data DIR)", file=sys.stderr)
        return 2
    began = time.monotonic()
    jobs: dict[str, OurJob | RivalJob] = {**our_jobs(asked.data, chosen), **rival_jobs(asked.data, chosen)}
    marks = {OurJob: mark(OUR_CODE), RivalJob: mark(RIVAL_CODE)}
    places = {name: asked.cache / marks[type(job)] / f"{name}.json" for name, job in jobs.items()}
    open_jobs = {name: job for name, job in jobs.items() if not finished(places[name], job)}
    print(f"{len(jobs)} jobs, {len(jobs) - len(open_jobs)} of them finished before", flush=True)
    try:
        failed = _run(open_jobs, places, asked.workers, scheduler_of(asked.dask, os.environ))
    except AutoscalerError as error:  # what was finished is kept
        print(error, file=sys.stderr)
        return 3 if isinstance(error, Retryable) else 2
    if failed:
        print(f"{failed} jobs failed; no page is written", file=sys.stderr)
        return 1
    figures = {name: json.loads(place.read_text()) for name, place in places.items()}
    docs = asked.cache if asked.only else asked.docs
    return 0 if _write(figures, docs, len(open_jobs), time.monotonic() - began) else 1


def finished(place: Path, job: OurJob | RivalJob) -> bool:
    """Whether all that the job is about stands there: a run of few loads leaves less than one of all."""
    listed = job.listed if isinstance(job, OurJob) else (job.listed,)
    peaks = PEAKS if isinstance(job, OurJob) else (job.peak,)
    wanted = {case_named(one, job.lead_min, peak) for one in listed for peak in peaks}
    return place.is_file() and wanted <= json.loads(place.read_text())["cases"].keys()


def _run(
    open_jobs: dict[str, OurJob | RivalJob], places: dict[str, Path], workers: int | None, dask: str | None
) -> int:
    """Failed jobs; each finished one is kept at once."""
    failed, began = 0, time.monotonic()

    def told(done: int, of: int, name: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {done:3} of {of}  {name}", flush=True)

    for answer in run_jobs(run_job, open_jobs, workers=workers, scheduler=dask, progress=told):
        if isinstance(answer, Failed):
            failed += 1
            print(f"{answer.name}: {answer.why}\n{answer.trace}", file=sys.stderr)
            continue
        place = places[answer.name]
        place.parent.mkdir(parents=True, exist_ok=True)
        half = place.with_suffix(".half")
        half.write_text(json.dumps(answer.value))
        half.replace(place)
    return failed


def _write(figures: dict[str, dict[str, Any]], docs: Path, new_jobs: int, wall_s: float) -> bool:
    """Writes the page; whether every aim was held."""
    ours = {case: f for name, job in figures.items() if name.startswith("ours-") for case, f in job["cases"].items()}
    theirs = {
        case: f for name, job in figures.items() if name.startswith("rivals-") for case, f in job["cases"].items()
    }
    order = {one.name: at for at, one in enumerate(LISTED)}
    cases: list[Case] = [case_of(ours[name], theirs[name], name, RISK) for name in theirs]
    cases.sort(key=lambda c: (order[c.trace], c.lead_min, c.peak))
    unfit = {rival: f"{case}: {why}" for case, f in theirs.items() for rival, why in f["unfit"].items()}
    spent = sum(job["seconds"] for job in figures.values())
    took = f"{spent / 60:.0f} minutes of one core in all"
    if new_jobs == len(figures):
        took += f", {wall_s / 60:.0f} minutes by the clock"
    docs.mkdir(parents=True, exist_ok=True)
    draw(cases, RISK, docs / PICTURE)
    told = Told(f"{datetime.now(UTC):%Y-%m-%d}", _commit(), took, PICTURE, tuple(sorted(unfit.items())))
    (docs / "decisions.md").write_text(page(cases, RISK, told), encoding="utf-8")
    print(f"{docs / 'decisions.md'}: {len(cases)} cases")
    found, late = aims(cases, RISK), broken(cases)
    for aim in found:
        print(f"{'held  ' if aim.held else 'MISSED'} {aim.what}: {aim.found or 0:.3f}, aim {aim.aim}")
    for one in late:
        print(f"MISSED {one}")
    return not late and all(aim.held for aim in found)


def _commit() -> str:
    """Of the code that the figures come from; the marks of the cache vouch that it is the same."""

    def git(*words: str) -> str:
        return subprocess.run(("git", "-C", str(ROOT), *words), capture_output=True, text=True, check=False).stdout

    figures = ("autoscaler", "tests/bench/decisions/traces.py", "tests/bench/decisions/contests.py")
    changed = git("status", "--porcelain", "--", *figures)
    return (git("rev-parse", "--short", "HEAD").strip() or "unknown") + (" with changes" if changed else "")


if __name__ == "__main__":
    sys.exit(main())
