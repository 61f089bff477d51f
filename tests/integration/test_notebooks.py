"""Notebooks run from top to bottom without anything beside the package, hold no logic, and are kept without outputs."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from hack.strip_notebooks import NOTEBOOKS, stripped

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
LOGIC = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.If, ast.For, ast.While, ast.Try, ast.With)
MAY_IMPORT = {"autoscaler", "IPython", "pandas"}


def test_there_are_notebooks():
    names = ["anomalies.ipynb", "calibration_tour.ipynb", "model_evaluation.ipynb", "one_load.ipynb"]
    assert [path.name for path in PATHS] == names


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_nothing_that_a_run_left_is_kept(path):
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert kept == stripped(kept), f"{path.name} holds outputs or counters: make format"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_cells_call_the_package_and_do_no_more(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, LOGIC), f"{cell.id}: {ast.unparse(node)[:60]}"
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= MAY_IMPORT, cell.id


@pytest.mark.slow
@pytest.mark.timeout(300)  # 20 s of a core; a busy machine has less than one
def test_the_load_is_judged_from_top_to_bottom(tmp_path):
    notebook = nbformat.read(NOTEBOOKS / "one_load.ipynb", as_version=4)
    NotebookClient(
        notebook, timeout=280, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = {
        cell.id: "".join(str(value) for output in cell.outputs for value in output.get("data", {}).values())
        for cell in notebook.cells
        if cell.cell_type == "code"
    }
    assert not [
        output for cell in notebook.cells for output in cell.get("outputs", ()) if output.output_type == "error"
    ]
    assert "Foresail" in shown["answer"]
    assert "replicaHours.value" in shown["claims"]
    assert "Foresail (Scale)" in shown["claims"]
    assert {"Foresail", "AWS-like, hourly mean"} <= set(
        shown["methods"].replace("<", "\n").replace(">", "\n").splitlines()
    )
    assert "granted" in shown["decisions"]
    assert "<svg" in shown["page"]
    assert list(tmp_path.iterdir()) == []


def _run(name: str, tmp_path: Path) -> dict[str, str]:
    """What each cell shows, by its id."""
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    NotebookClient(
        notebook, timeout=280, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    return {
        cell.id: "".join(str(value) for output in cell.outputs for value in output.get("data", {}).values())
        for cell in notebook.cells
        if cell.cell_type == "code"
    }


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_models_stand_beside_each_other(tmp_path: Path) -> None:
    shown = _run("model_evaluation.ipynb", tmp_path)
    for model in ("foresail", "seasonal-naive-day", "ets", "theta"):
        assert model in shown["sizing-window"], model
        assert model in shown["hour"], model
    assert "decision.overBound" in shown["sizing-window"]
    assert ("prophet" in shown["hour"]) != ("prophet does not take part" in shown["absent"])
    assert "<svg" in shown["page"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_tour_counts_what_is_promised(tmp_path: Path) -> None:
    shown = _run("calibration_tour.ipynb", tmp_path)
    assert "0.95" in shown["kept"]
    assert "2026-06" in shown["days"]
    assert "peakCoverage.0.9" in shown["all"]
    assert "<svg" in shown["picture"]
    assert "decision.shortShare" in shown["margin"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_labelled_incidents_are_found_from_top_to_bottom(tmp_path):
    notebook = nbformat.read(NOTEBOOKS / "anomalies.ipynb", as_version=4)
    NotebookClient(
        notebook, timeout=280, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
    assert "foresail severity" in str(shown["figures"])
    assert [kind for output in shown["pictures"] for kind in output["data"]].count("image/png") == 2
