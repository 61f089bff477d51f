"""`foresail crds`: what it prints can be applied; it loads no numeric library for --help."""

import subprocess
import sys
from pathlib import Path

import ruamel.yaml

from autoscaler.spec.crd import RESOURCES, crd

ROOT = Path(__file__).parents[3]


def test_all_definitions_as_one_stream_of_yaml(foresail):
    said = foresail("crds")
    assert (said.code, said.err) == (0, "")
    read = list(ruamel.yaml.YAML(typ="safe").load_all(said.out))
    assert read == [crd(kind) for kind in sorted(RESOURCES)]


def test_one_kind_and_a_folder(foresail, tmp_path):
    said = foresail("crds", "GuardPolicy")
    assert [d["spec"]["names"]["kind"] for d in ruamel.yaml.YAML(typ="safe").load_all(said.out)] == ["GuardPolicy"]
    assert foresail("crds", "--out", tmp_path / "crds").code == 0
    committed = ROOT / "charts" / "foresail" / "files" / "crds"
    for file in committed.iterdir():
        assert (tmp_path / "crds" / file.name).read_text() == file.read_text()


def test_the_reference_is_a_page_of_markdown(foresail):
    said = foresail("crds", "--reference")
    assert said.out.startswith("# Reference\n")
    assert "## PredictiveAutoscaler.status: forecast" in said.out


def test_an_unknown_kind_and_a_folder_that_cannot_be_are_usage_errors(foresail, tmp_path):
    said = foresail("crds", "PredictiveAutoscalar")
    assert said.code == 2
    assert 'did you mean "PredictiveAutoscaler"' in said.err
    (tmp_path / "file").write_text("")
    assert foresail("crds", "--out", tmp_path / "file").code == 2


def test_help_loads_neither_models_nor_numeric_libraries():
    code = (
        "import sys; from autoscaler.cli.crds_app import crds; "
        "print([m for m in ('numpy', 'pydantic', 'ruamel') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.strip() == "[]"
