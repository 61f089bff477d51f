"""`foresail train`: what it refuses, and a whole training over generated demand."""

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from autoscaler.cli.app import app
from autoscaler.domain.errors import Refused


def _run(*words: str):
    return CliRunner().invoke(app, ["train", *words])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name what to learn from"),
        (("--trace", "a.csv", "--demand", "b.db"), "name what to learn from"),
        (("--trace", "a.csv", "--queries", "q.yaml"), "--queries needs --prometheus"),
        (("--prometheus", "http://x"), "--prometheus needs --queries"),
        (("--trace", "nowhere.csv"), "nowhere.csv"),
        (("--trace", "a.csv", "--step", "1.5s"), "--step"),
        (("--trace", "a.csv", "--time-limit", "soon"), "--time-limit"),
        (("--trace", "a.csv", "-o", "xml"), "--output"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_option_named(words, said: str) -> None:
    found = _run(*words)
    assert isinstance(found.exception, Refused)
    assert said in str(found.exception)


def _record(folder, name: str):
    stamps = np.datetime64("2026-01-01T00:00:00") + np.arange(120) * np.timedelta64(60, "s")
    path = folder / f"{name}.csv"
    path.write_text("ts,value\n" + "\n".join(f"{at},{100 + k % 7}" for k, at in enumerate(stamps)))
    return str(path)


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        (("shpo",), "--leave-out 'shpo' is no source with a series to learn from; there are bank, shop"),
        (("shop", "bank"), "--leave-out takes out every source (bank, shop), and nothing is left to learn from"),
    ],
)
def test_what_leaves_nothing_out_or_nothing_in_is_refused_before_any_training(
    tmp_path, monkeypatch, left_out, said
) -> None:
    monkeypatch.setattr("autoscaler.bootstrap.training.train_limited", None)  # whoever asks it, raises
    traces = [word for name in ("shop", "bank") for word in ("--trace", _record(tmp_path, name))]
    options = [word for name in left_out for word in ("--leave-out", name)]
    found = _run(*traces, *options, "--folder", str(tmp_path / "models"))
    assert isinstance(found.exception, Refused), found.output
    assert said in str(found.exception)


@pytest.mark.slow
def test_a_training_over_ones_own_demand_is_published_signed_and_not_in_force(tmp_path) -> None:
    rng = np.random.default_rng(0)
    for name in ("shop", "bank"):
        stamps = np.datetime64("2026-01-01T00:00:00") + np.arange(2880) * np.timedelta64(60, "s")
        rows = [f"{at},{value}" for at, value in zip(stamps, rng.poisson(100, 2880), strict=True)]
        (tmp_path / f"{name}.csv").write_text("ts,value\n" + "\n".join(rows))
    command = [
        sys.executable, "-m", "autoscaler", "train", "--trace", "shop.csv", "--trace", "other=bank.csv", "--leave-out",
        "other", "--rounds", "5", "--pairs", "2000", "-o", "json",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["model"] == "global-peak@1"
    assert told["metrics"]["left-out.q950.coverage"] > 0.8
    assert "quantile 0.95" in done.stderr
    listed = subprocess.run(
        [sys.executable, "-m", "autoscaler", "models", "list", "-o", "json"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    own = next(view for view in json.loads(listed.stdout)["models"] if not view["packaged"])
    assert (own["name"], own["generation"]) == ("global-peak", 1)
    assert not own["inForce"]
