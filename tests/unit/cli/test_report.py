"""`foresail report` as a user calls it: its file, its table, its keys, and what it says to bad input."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from autoscaler.adapters.traces import Trace
from autoscaler.bootstrap.comparing import Judged, judge
from autoscaler.bootstrap.worlds import World
from autoscaler.domain.workload import Workload
from autoscaler.spec.reader import parse_text

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS, STEP_S = 5, 1800
NASTY = "<script>alert(1)</script>"
DOC = Path(__file__).parents[3] / "docs" / "report.md"
CHEAP = ("--capacity", 10, "--warmup", "1d")


def write(path: Path, name: str = "web") -> None:
    """A daily wave with a jump each noon that nobody can serve in time, and a hole."""
    rng = np.random.default_rng(5)
    rows = ["ts,series,value"]
    for k in range(DAYS * 86400 // STEP_S):
        at = START + timedelta(seconds=k * STEP_S)
        value = 200 * (1 + 0.6 * np.sin(2 * np.pi * (at.hour + at.minute / 60) / 24)) * rng.lognormal(0, 0.1)
        value *= 2.5 if at.hour == 12 and at.day % 2 else 1
        rows.append(f"{at.isoformat()},{name},{'' if k in range(150, 156) else round(value, 3)}")
    path.write_text("\n".join(rows) + "\n")


@pytest.fixture
def web(tmp_path) -> Path:
    write(tmp_path / "web.csv")
    return tmp_path / "web.csv"


@pytest.fixture(scope="module")
def known() -> dict[str, Judged]:
    return {}


@pytest.fixture
def judged_once(monkeypatch: pytest.MonkeyPatch, known: dict[str, Judged]) -> None:
    """The same record in the same world is judged once for all tests of this file: it is most of their time."""

    def once(trace: Trace, workload: Workload, world: World, progress: object = None) -> Judged:
        key = f"{trace.name} {hash(trace.values.tobytes())} {workload} {world}"
        if key not in known:
            known[key] = judge(trace, workload, world)
        return known[key]

    monkeypatch.setattr("autoscaler.cli.report.judge", once)


FLOOR = ("--actuation", "HpaFloor", "--hpa-target", 60, *CHEAP)


@pytest.mark.slow
@pytest.mark.usefixtures("judged_once")
def test_the_file_is_whole_and_the_terminal_says_the_answer(foresail, tmp_path):
    write(tmp_path / "web.csv", NASTY)
    said = foresail("report", "--trace", "web.csv", "--out", "new/r.html", *FLOOR)
    assert said.code == 0
    assert said.err == "foresail: --out: made the folder new\n"
    html = (tmp_path / "new" / "r.html").read_text()
    assert html.startswith("<!DOCTYPE html>")
    assert html.rstrip().endswith("</html>")
    assert len(html) < 2_000_000
    assert "<script" not in html
    assert not re.search(r"https?:", html)
    assert "report: new/r.html" in said.out
    assert "your HPA as set (60 %)" in said.out
    assert "than your HPA as set" in said.out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new", "web.csv"]
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["r.html"]


@pytest.mark.slow
@pytest.mark.usefixtures("judged_once")
def test_plain_values_have_the_documented_keys_and_agree_with_simulate(foresail, tmp_path):
    write(tmp_path / "web.csv", NASTY)
    asked = ("--trace", "web.csv", *FLOOR)
    found = json.loads(foresail("report", *asked, "-o", "json").out)
    text = DOC.read_text()
    assert not [key for key in found if f"`{key}`" not in text]
    alone = json.loads(foresail("simulate", *asked, "-o", "json").out)
    ours = next(m for m in found["methods"] if m["name"] == "foresail")["rows"][0]["figures"]
    assert ours == alone["figures"]
    claims = {c["role"]: c for c in found["claims"]}
    assert claims["foresail"]["replicaHours"]["value"] == pytest.approx(ours["replicaHours"])
    assert claims["foresail"]["replicaHours"]["low"] < claims["foresail"]["replicaHours"]["high"]
    assert claims["as set"]["title"] == "your HPA as set (60 %)"
    assert [g["steps"] for g in found["gaps"]] == [6]
    assert found["gaps"][0]["from"] == "2026-03-04T03:00:00Z"
    tried = found["settings"]["targetsTried"]
    assert [t["target"] for t in tried] == [60, 75, 80, 85, 90, 95]
    kept = [t["target"] for t in tried if t["riskKept"]]
    assert found["settings"]["savingTarget"] == max(kept, default=None)
    (load,) = parse_text(found["settings"]["yaml"], "copied", known_sources=("prod",)).compile()
    assert load.demands[0].capacity_per_replica == 10
    assert YAML(typ="safe", pure=True).load(foresail("report", *asked, "-o", "yaml").out) == found


@pytest.mark.slow
def test_the_table_has_claims_methods_and_limits_and_under_scale_no_target(foresail, web):
    said = foresail("report", "--trace", "web.csv", "--hpa-target", 55, "-o", "table", "--rival", "keda-cron", *CHEAP)
    assert said.code == 0
    for words in (
        "your HPA as set (55 %)", "Foresail (Scale)", "KEDA: HPA with cron floors", "hindsight", "causal",
        "Under Scale no HPA runs beside Foresail", "Demand is taken as it was recorded",
        "the realised risk cannot be resolved",
    ):  # fmt: skip
        assert words in said.out, words


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--trace", "web.csv", "-o", "pdf"), "use html, table, json or yaml"),
        (("--trace", "web.csv", "-o", "json", "--out", "x.json"), "goes to stdout"),
        (("--trace", "web.csv", "--rival", "kpa"), "--rival 'kpa' is not known. There are: as-set"),
        (("--trace", "web.csv", "--out", "r.pdf"), "--out r.pdf: the page is HTML; name it r.html"),
        (("--trace", "web.csv", "--out", "."), "is a folder; name a file such as report.html"),
        (("--trace", "web.csv", "--out", "web.csv/r.html"), "--out web.csv: no folder can be made there (File exists)"),
        (("--trace", "web.csv", "--out", "new/r.pdf"), "name it r.html"),
        (("--trace", "web.csv", "--hpa-target", "0"), "must be a percentage from 1 to 100"),
        (("--trace", "gone.csv"), "gone.csv"),
        (("--trace", "web.csv", "shop/web"), "needs --live"),
        ((), "either --trace FILE, or --prometheus URL"),
        (("--live",), "--live needs the workload"),
        (("--live", "web", "--prometheus", "http://x", "--risk", "1%"), "--prometheus, --risk: the record of --live"),
        (("--live", "web", "--step", "60s"), "--step needs --trace FILE"),
        (("--live", "web", "--store", "gone.db"), "gone.db"),
    ],
)
def test_bad_input_is_refused_before_any_work_and_names_the_way_out(foresail, web, tmp_path, words, why):
    said = foresail("report", *words)
    assert said.code == 2
    assert why in said.err
    assert "Traceback" not in said.err
    assert [p.name for p in tmp_path.iterdir()] == ["web.csv"]


@pytest.mark.parametrize(
    ("warmup", "words"),
    [
        ("9d", "--warmup 9d leaves nothing to score: web is 5 d long; pass a shorter one, such as --warmup 40h, or a"),
        ("5d", "--warmup 5d leaves nothing to score: web is 5 d long"),
        ("119h30m", "none of its steps after the warm-up is known in full; pass a shorter one"),
    ],
)
def test_a_warm_up_that_leaves_nothing_is_refused_by_both_in_the_same_words(foresail, web, tmp_path, warmup, words):
    head, *rows = web.read_text().splitlines()
    rows[-1] = rows[-1].rpartition(",")[0] + ","
    web.write_text("\n".join([head, *rows]) + "\n")
    (tmp_path / "report.html").write_text("older")
    asked = ("--trace", "web.csv", "--warmup", warmup, "--capacity", 10)
    said, alone = foresail("report", *asked), foresail("simulate", *asked, "--out", "rows.csv")
    assert (said.code, said.out) == (alone.code, alone.out) == (2, "")
    assert words in said.err
    assert said.err == alone.err
    assert (tmp_path / "report.html").read_text() == "older"
    assert not (tmp_path / "rows.csv").exists()


def test_steps_that_are_only_lower_bounds_are_nothing_to_score(foresail, web):
    head, *rows = web.read_text().splitlines()
    marked = [f"{row},{int(k >= 200 and not row.endswith(','))}" for k, row in enumerate(rows)]
    web.write_text("\n".join([f"{head},censored", *marked]) + "\n")
    said = foresail("report", "--trace", "web.csv", "--warmup", "100h", "--capacity", 10)
    assert said.code == 2
    assert "none of its steps after the warm-up is known in full" in said.err


def test_every_option_is_documented_and_all_of_simulate_are_here(foresail):
    def options(command: str) -> set[str]:
        return set(re.findall(r"--[a-z-]+", foresail(command, "--help").out))

    mine, theirs = options("report"), options("simulate")
    assert theirs - {"--anomalies", "--detectors"} <= mine  # rivals are met without that help
    text = DOC.read_text() + (DOC.parent / "simulate.md").read_text()
    assert not [option for option in mine - {"--help", "--output"} if option not in text]
