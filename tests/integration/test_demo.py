"""`foresail demo` from end to end, without a terminal: the picture, the record, honest figures both ways."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

FORESAIL = str(Path(sys.executable).with_name("foresail"))
PNG = b"\x89PNG\r\n\x1a\n"

pytestmark = pytest.mark.slow


def demo(folder: Path, *args: str) -> str:
    ran = subprocess.run([FORESAIL, "demo", *args], cwd=folder, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
    return ran.stdout


def leaves_what_it_promises(folder: Path, out: str, said: str) -> None:
    assert (folder / out / "demo.png").read_bytes().startswith(PNG)
    assert f"picture: {out}/demo.png" in said
    question = re.search(r"ask why: \S*foresail (explain .*)", said)
    assert question is not None
    told = subprocess.run(
        [FORESAIL, *question[1].split()], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    assert re.match(r"\S+/\S+: \d+ → \d+, ", told)
    assert "forecast peak of the next" in told


def test_a_day_of_the_shop_is_the_same_again_with_the_same_seed(tmp_path):
    command = [FORESAIL, "demo", "--days", "1", "--seed", "3", "--out"]
    both = [
        subprocess.Popen([*command, out], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for out in ("one", "two")
    ]
    (one, one_err), (two, two_err) = (process.communicate(timeout=110) for process in both)
    assert [p.returncode for p in both] == [0, 0]
    for out, said in (("one", one_err), ("two", two_err)):
        assert said.count("\n") == 1, said
        assert f"folder {out}" in said, "a folder that is made is said"
    assert one == two.replace("two/", "one/")
    leaves_what_it_promises(tmp_path, "one", one)
    assert "SYNTHETIC web shop" in one
    assert "seed 3" in one
    assert "one week" not in one
    for rival in ("HPA 70%", "HPA 85%"):
        against = rf"Foresail \+ HPA against {rival} alone: [+-]\d+\.\d % replica-hours, [+-]\d+ under-provisioned min"
        assert re.search(against, one), one
    assert re.search(r"short \d+\.\d\d% of the time; accepted risk 0\.50%", one)
    assert "replica-hours" in one.split("day:")[1]
    assert "\x1b[" not in one, "no terminal, no control codes"


def test_a_recorded_trace_of_a_few_days(tmp_path):
    start, step_s = datetime(2026, 3, 1, tzinfo=UTC), 300
    rng = np.random.default_rng(1)
    hours = np.arange(4 * 86400 // step_s) * step_s / 3600
    values = 300 + 200 * np.sin(2 * np.pi * (hours - 9) / 24) + rng.normal(0, 5, len(hours))
    rows = [f"{(start + timedelta(hours=float(h))).isoformat()},{v:.2f}" for h, v in zip(hours, values, strict=True)]
    del rows[1000:1010]  # an outage of the recording on the last day
    (tmp_path / "load.csv").write_text("\n".join(["ts,requests", *rows, ""]))
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown" / "demo-decisions.db").write_text("what an earlier demo left, no database any more")
    (tmp_path / "shown" / "notes.txt").write_text("mine")
    said = demo(
        tmp_path, "--trace", "load.csv", "--column", "requests", "--days", "1", "--out", "shown", "--lead", "5m"
    )
    leaves_what_it_promises(tmp_path, "shown", said)
    assert "10 of 1152 steps have no row: unknown" in said
    assert "derived from the days before alone" in said
    assert "load, 1 day" in said
    assert re.search(r"held from \w{3} \d\d:\d\d to \d\d:\d\d UTC: demand was unknown, nothing shrank", said)
    assert "SYNTHETIC" not in said
    assert (tmp_path / "shown" / "notes.txt").read_text() == "mine"
