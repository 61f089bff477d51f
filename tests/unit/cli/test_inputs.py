"""Option values: what is read, and how a slip is answered."""

import math
from pathlib import Path

import pytest

from autoscaler.bootstrap.operator import OperatorSettings
from autoscaler.cli.inputs import folder, hurried, label, moment, output_kind, seconds, subdomain, whole_seconds
from autoscaler.domain.errors import Refused


@pytest.mark.parametrize(
    ("text", "least", "value"),
    [("15s", 0, 15), ("1h30m", 0, 5400), ("500ms", 0.1, 0.5), ("3m", 180, 180), ("0.5d", 0, 43200), ("1d", 0, 86400)],
)
def test_durations(text, least, value):
    assert seconds("--tick", text, least) == value


@pytest.mark.parametrize("text", ["", "5", "-3m", "100d", "soon", "1e3s", "nan", "25h", "1s"])
def test_a_slip_in_a_duration_names_option_and_value(text):
    with pytest.raises(Refused, match=f"--tick '{text}'"):
        seconds("--tick", text, least=2)


def test_a_limit_is_told_as_a_limit():
    assert seconds("--since", "2w1d12h", most=math.inf) == 15.5 * 86400
    with pytest.raises(Refused, match="--lead '3d' is longer than 24 hours, the most that it takes"):
        seconds("--lead", "3d")
    with pytest.raises(Refused, match=r"--lead .3D. is not a duration; write e\.g\. 15s, 3m, 1h30m or 2d"):
        seconds("--lead", "3D")


def test_fractions_of_a_second_are_no_grid():
    with pytest.raises(Refused, match="whole seconds"):
        whole_seconds("--step", "1500ms")


def test_names_of_kubernetes_are_refused_with_the_nearest_one_that_is_valid():
    assert (label("--namespace", "team-a"), subdomain("--lease-name", "foresail.eu-1")) == ("team-a", "foresail.eu-1")
    for option, check in (("--namespace", label), ("--lease-name", subdomain)):
        with pytest.raises(Refused, match=rf"^{option} 'A_B' is not a valid Kubernetes name .*; for example \"a-b\"$"):
            check(option, "A_B")
    with pytest.raises(Refused, match=r"--namespace 'a\.b' .*at most 63"):
        label("--namespace", "a.b")
    with pytest.raises(Refused, match="--namespace '' is not a valid"):
        label("--namespace", "")


@pytest.mark.parametrize("option", ["--namespace", "--lease-name", "--lease-namespace", "--installation"])
def test_an_operator_with_a_name_that_no_server_takes_does_not_start(foresail, option):
    said = foresail("operator", "--in-cluster", option, "A_B")
    assert said.code == 2
    assert f"{option} 'A_B' is not a valid Kubernetes name" in said.err
    assert 'for example "a-b"' in said.err


def test_an_operator_takes_a_recipe_of_detectors_only_where_anomalies_are_looked_for(
    foresail, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Reached(Exception):
        """The operator would begin now."""

    begun: list[OperatorSettings] = []

    def begin(settings: OperatorSettings) -> None:
        begun.append(settings)
        raise Reached

    monkeypatch.setattr("autoscaler.bootstrap.operator.operator", begin)
    asked = ("operator", "--in-cluster", "--lease-namespace", "a", "--detectors", tmp_path / "recipe.yaml")
    said = foresail(*asked, "--anomalies", "off")
    assert (said.code, begun) == (2, [])
    assert f"--detectors {tmp_path / 'recipe.yaml'}: no anomalies are looked for; write --anomalies on" in said.err
    with pytest.raises(Reached):
        foresail(*asked)
    assert [one.service.detectors for one in begun] == [tmp_path / "recipe.yaml"]


def test_only_a_past_clock_can_be_hurried():
    assert hurried(15.0, "1998-06-25T12:15:00Z") == 15.0
    assert hurried(1.0, None) == 1.0
    with pytest.raises(Refused, match="--speed needs --replay-from"):
        hurried(15.0, None)
    with pytest.raises(Refused, match="--speed nan must be positive"):
        hurried(math.nan, "1998-06-25T12:15:00Z")


def test_moments_keep_their_offset():
    when = moment("--at", "2026-06-10T09:00:00+02:00")
    assert when is not None
    assert when.isoformat() == "2026-06-10T09:00:00+02:00"
    assert moment("--at", None) is None


@pytest.mark.parametrize("text", ["JSON", "", "yaml"])
def test_only_known_outputs(text):
    with pytest.raises(Refused, match="use table or json"):
        output_kind(text)


def test_a_folder_is_made_with_its_parents_and_said_or_refused(tmp_path, capsys):
    assert folder("--out", tmp_path / "a" / "b").is_dir()
    assert capsys.readouterr() == ("", f"foresail: --out: made the folder {tmp_path / 'a' / 'b'}\n")
    folder("--out", tmp_path / "a" / "b")
    assert capsys.readouterr() == ("", "")
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match=r"--out .*no folder can be made"):
        folder("--out", tmp_path / "file")
    with pytest.raises(Refused, match=r"--out .*no folder can be made"):
        folder("--out", tmp_path / "file" / "below")
