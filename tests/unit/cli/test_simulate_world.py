"""What `foresail simulate` is told about the workload and its cluster, typed or in a file, is what is simulated."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autoscaler.domain.workload import Actuation
from autoscaler.spec.compile import acting_by
from autoscaler.spec.reader import parse_text
from tests.unit.cli.recorded import AUTOSCALER, COUNT, PLAIN, lines, write


def test_a_config_sets_what_is_not_typed(foresail, web, tmp_path):
    (tmp_path / "pa.yaml").write_text(AUTOSCALER)
    found = json.loads(foresail("simulate", "--trace", "web.csv", "--config", "pa.yaml", "-o", "json").out)
    asked = found["settings"]
    assert (asked["capacity"], asked["leadSeconds"], asked["risk"]) == (8.0, 600.0, 0.01)
    assert (asked["actuation"], asked["hpaTarget"], asked["actuationDelaySeconds"]) == ("HpaFloor", 70, 0.0)
    assert (asked["minReplicas"], asked["maxReplicas"]) == (3, 40)
    args = ("--config", "pa.yaml", "--risk", "2%", "--lead", "5m", "--hpa-target", 90, *PLAIN)
    asked = json.loads(foresail("simulate", "--trace", "web.csv", *args).out)["settings"]
    assert (asked["capacity"], asked["leadSeconds"], asked["risk"], asked["hpaTarget"]) == (10.0, 300.0, 0.02, 90)


UP_LIMITED = "  behavior: {scaleUp: {policies: [{type: Pods, value: 1, periodSeconds: 300}]}}\n"


def test_another_actuation_than_the_files_brings_its_own_defaults(foresail, tmp_path):
    """Scale may double or add four in 15 s as an HPA may; a floor jumps. What the file sets itself stands for both."""
    rows = lines(60)
    rows[40:] = [row.rsplit(",", 1)[0] + ",500.0" for row in rows[40:]]
    write(tmp_path / "jump.csv", rows)
    by_scale = AUTOSCALER.replace("spec:\n", "spec:\n  actuation: Scale\n  acknowledge: [NoReactiveBackup]\n")
    files = {
        "floor": AUTOSCALER, "scale": by_scale, "floor-limited": AUTOSCALER + UP_LIMITED,
        "scale-limited": by_scale + UP_LIMITED,
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text.replace("max: 40", "max: 400"))

    def decided(config: str, *args: object) -> pd.DataFrame:
        said = foresail(
            "simulate",
            "--trace",
            "jump.csv",
            "--config",
            f"{config}.yaml",
            "--out",
            "rows.parquet",
            *args,
            "-o",
            "json",
        )
        assert said.code == 0, said.err
        return pd.read_parquet(tmp_path / "rows.parquet")

    for limits in ("", "-limited"):
        scale, floor = decided(f"scale{limits}"), decided(f"floor{limits}")
        assert not scale["granted"].equals(floor["granted"])
        pd.testing.assert_frame_equal(decided(f"floor{limits}", "--actuation", "Scale"), scale)
        pd.testing.assert_frame_equal(decided(f"scale{limits}", "--actuation", "HpaFloor"), floor)


@pytest.mark.parametrize(("typed", "policies"), [("Scale", 2), ("HpaFloor", 0)])
def test_a_typed_actuation_has_the_scale_up_limits_that_it_has_by_default(typed, policies):
    """Observed need is spared by step limits, so that a run alone would rarely tell."""
    fleet = parse_text(AUTOSCALER, "pa.yaml", known_sources=("prod",))
    (load,) = replace(fleet, autoscalers=(acting_by(fleet.autoscalers[0], Actuation(typed)),)).compile()
    assert load.actuation.value == typed
    assert len(load.scale_up.policies) == policies


def test_limits_and_failing_starts_are_part_of_the_cluster(foresail, web, tmp_path):
    def ready(*args: object) -> pd.Series:
        foresail("simulate", "--trace", "web.csv", "--lead", "10m", "--out", "rows.parquet", *args, *PLAIN)
        return pd.read_parquet(tmp_path / "rows.parquet")["ready"]

    assert ready("--min", 9, "--max", 12).between(9, 12).all()
    failing = ready("--start-failure", "50%", "--seed", 1)
    assert (failing <= ready()).all()
    assert (failing < ready()).any()
    pd.testing.assert_series_equal(failing, ready("--start-failure", "0.5", "--seed", 1))


def test_demand_that_needs_more_than_max_is_told_beside_the_ratio_that_it_flatters(foresail, web):
    """Demand is 40 to 160, one replica serves 10: every scored step above 100 needs more than --max 10."""
    found = json.loads(foresail("simulate", "--trace", "web.csv", "--max", 10, *PLAIN).out)
    above, steps = found["figures"]["aboveMostSteps"], found["figures"]["steps"]
    scored = np.array([100 + 60 * np.sin(k / 20) for k in range(COUNT)])[COUNT - steps :]
    assert above == (scored > 100).sum() > 10
    words = f"{above} steps ({above / steps * 100:.3g} %) need more than --max 10; the bound stops there too"
    assert words in found["notes"]
    table = foresail("simulate", "--trace", "web.csv", "--max", 10, "--capacity", 10).out
    assert words in table
    assert "above --max" in table
    limits = json.loads(foresail("report", "--trace", "web.csv", "--max", 10, *PLAIN).out)["limits"]
    assert f"{words}." in limits
    assert "only PHPA is synced once a step" in " ".join(limits)
    assert "synced every 15 s" in " ".join(limits)
    enough = json.loads(foresail("simulate", "--trace", "web.csv", "--max", 16, *PLAIN).out)
    assert enough["figures"]["aboveMostSteps"] == 0
    assert "--max" not in " ".join(enough["notes"])


def test_a_handful_of_scored_steps_is_said_to_be_too_few_to_judge(foresail, web, tmp_path):
    write(tmp_path / "brief.csv", lines(80))
    for args in (("simulate",), ("report",)):
        found = json.loads(foresail(*args, "--trace", "brief.csv", "--warmup", "0s", *PLAIN).out)
        assert "oo few steps to judge: 80 are scored" in " ".join([*found["notes"], *found.get("limits", ())])
    assert "oo few steps" not in foresail("simulate", "--trace", "web.csv", *PLAIN).out


def test_a_lead_with_quantiles_is_planned_with_its_p95_and_drawn_for_each_replica(foresail, web, tmp_path):
    def decided(lead: str, *args: object) -> tuple[dict[str, Any], pd.DataFrame]:
        said = foresail("simulate", "--trace", "web.csv", "--lead", lead, "--out", "rows.parquet", *args, *PLAIN)
        return json.loads(said.out), pd.read_parquet(tmp_path / "rows.parquet")

    found, drawn = decided("p95=20m, p50=8m", "--seed", 2)
    assert (found["settings"]["leadSeconds"], found["settings"]["leadP50Seconds"]) == (1200.0, 480.0)
    assert any("log-normal with p50 480 s and p95 1200 s; the p95 is planned with" in n for n in found["notes"])
    assert (drawn["lead_s"] == 1200.0).all()
    told, fixed = decided("20m")
    assert told["settings"]["leadP50Seconds"] is None
    pd.testing.assert_series_equal(drawn["granted"], fixed["granted"])  # under Scale nothing decided looks at ready
    assert drawn["ready"].sum() > fixed["ready"].sum()  # most are sooner than the p95
    assert (drawn["ready"] < fixed["ready"]).any()
    pd.testing.assert_frame_equal(drawn, decided("p50=8m,p95=20m", "--seed", 2)[1])
    assert not drawn.equals(decided("p50=8m,p95=20m", "--seed", 3)[1])


def test_nodes_delay_starts_and_are_part_of_the_planned_lead_unless_some_are_spare(foresail, web, tmp_path):
    def decided(*args: object) -> tuple[dict[str, Any], pd.DataFrame]:
        said = foresail("simulate", "--trace", "web.csv", "--lead", "5m", "--out", "rows.parquet", *args, *PLAIN)
        return json.loads(said.out), pd.read_parquet(tmp_path / "rows.parquet")

    without, plain = decided()
    assert any("always find room on a node (type --node-replicas)" in n for n in without["notes"])
    assert without["settings"]["nodeReplicas"] is None
    assert without["figures"]["nodeHours"] is None
    found, rows = decided("--node-replicas", 4, "--node-ready", "10m")
    assert found["settings"]["leadSeconds"] == 900.0
    assert (rows["lead_s"] == 900.0).all()
    assert any("planned to wait for a node: 600 s of the planned lead" in n for n in found["notes"])
    assert found["figures"]["nodeHours"] * 4 >= found["figures"]["replicaHours"]
    spare, spared = decided("--node-replicas", 4, "--spare-nodes", 3, "--node-ready", "10m")
    assert (spared["lead_s"] == 300.0).all()
    assert spare["figures"]["nodeHours"] > found["figures"]["nodeHours"]
    pd.testing.assert_series_equal(spared["granted"], plain["granted"])
    pd.testing.assert_series_equal(spared["ready"], plain["ready"])  # three spare nodes are enough for this wave


def test_delays_are_part_of_the_answer(foresail, web):
    args = ("--data-delay", "10m", "--actuation-delay", "15s", "--lead", "5m", *PLAIN)
    found = json.loads(foresail("simulate", "--trace", "web.csv", *args).out)
    assert found["settings"]["dataDelaySeconds"] == 600.0
    assert found["settings"]["actuationDelaySeconds"] == 15.0
    assert not any("no data delay" in note or "no actuation delay" in note for note in found["notes"])
