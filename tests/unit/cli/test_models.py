"""`foresail models` as a user calls it."""

import json
import shutil
from datetime import UTC, datetime

import numpy as np
import pytest

from autoscaler.adapters.artefacts.keys import KeySigner
from autoscaler.bootstrap.models import own_models, own_signer
from autoscaler.domain.artefact import Manifest

NOW = datetime(2026, 6, 10, 9, tzinfo=UTC)


@pytest.fixture
def published(tmp_path):
    """Three generations of one model, trained and signed by this installation."""
    models = own_models(tmp_path / "foresail-models")
    for k in (1, 2, 3):
        told = Manifest(
            kind="trees", name="global", created=NOW, metrics={"wql": 0.5 / k}, limits={"max_rows": 1000},
            data_hash="sha256:1" if k < 3 else "sha256:2", versions={"features": str(k)}, window=(NOW, NOW),
        )  # fmt: skip
        models.publish(told, {"leaves": np.arange(k * 10.0)}, signer=own_signer(models.root))
    (models.place("global") / "CARD.md").write_text("For web traffic, not for queues.\n")
    return models


def test_nothing_there_is_no_error(foresail, tmp_path):
    said = foresail("models", "list")
    assert (said.code, said.err) == (0, "")
    assert json.loads(foresail("models", "list", "-o", "json").out)["models"] is not None
    assert not (tmp_path / "foresail-models").exists()


def test_promote_list_and_roll_back(foresail, published):
    said = foresail("models", "promote", "global@2", "--by", "jana")
    assert (said.code, said.out) == (0, "global@2 is in force, by jana; before it nothing\n")
    assert foresail("models", "promote", "global@3", "--by", "jana").code == 0
    told = json.loads(foresail("models", "list", "-o", "json").out)["models"]
    own = [m for m in told if not m["packaged"]]
    assert [(m["generation"], m["inForce"], m["trouble"]) for m in own] == [
        (3, True, None), (2, False, None), (1, False, None),
    ]  # fmt: skip
    said = foresail("models", "roll-back", "global", "--reason", "short since noon", "--by", "petr")
    assert (said.code, said.out) == (0, "global@2 is in force, by petr; before it global@3: short since noon\n")
    said = foresail("models", "list")
    assert said.code == 0
    line = next(line for line in said.out.splitlines() if line.startswith("global") and " 2 " in line)
    assert " yes " in line
    assert " sound" in line


def test_s07_promoting_an_older_one_is_refused_with_the_way_out(foresail, published):
    assert foresail("models", "promote", "global@2").code == 0
    said = foresail("models", "promote", "global@1")
    assert (said.code, said.out) == (2, "")
    assert "older than 2" in said.err
    assert "models roll-back global --to 1 --reason" in said.err


def test_a_roll_back_without_a_reason_is_a_usage_error(foresail, published):
    assert foresail("models", "promote", "global@2").code == 0
    said = foresail("models", "roll-back", "global")
    assert said.code == 2
    assert "--reason" in said.err
    assert foresail("models", "roll-back", "global", "--to", "1", "--reason", " ").code == 2
    assert published.promoted("global") == 2


def test_the_card_shows_metrics_limits_and_who_put_it_into_force(foresail, published):
    assert foresail("models", "promote", "global@1", "--by", "jana").code == 0
    said = foresail("models", "show", "global")
    assert (said.code, said.err) == (0, "")
    for words in ("# global@1", "not for queues", "wql: 0.5", "max_rows: 1000", "sha256:1", "Promoted 1 by jana"):
        assert words in said.out
    told = json.loads(foresail("models", "show", "global@3", "-o", "json").out)
    assert told["manifest"]["metrics"]["wql"] == pytest.approx(0.5 / 3)
    assert told["history"][0]["by"] == "jana"
    assert "queues" in told["card"]


def test_each_generation_shows_its_own_card(foresail, published):
    (published.place("global", 3) / "CARD.md").write_text("Learned in May.\n")
    assert foresail("models", "promote", "global@2").code == 0
    assert "not for queues" in foresail("models", "show", "global").out
    assert "Learned in May" not in foresail("models", "show", "global").out
    assert "Learned in May" in foresail("models", "show", "global@3").out


@pytest.mark.parametrize("damage", ["cut", "a folder"])
def test_a_damaged_record_of_promotions_is_a_finding(foresail, published, damage):
    assert foresail("models", "promote", "global@1").code == 0
    record = published.place("global") / "promotions.json"
    record.unlink()
    record.write_text("{") if damage == "cut" else record.mkdir()
    said = foresail("models", "list")
    assert (said.code, said.err) == (1, "")
    assert " unknown " in said.out
    assert "global/promotions.json: " in said.out
    assert json.loads(foresail("models", "list", "-o", "json").out)["models"][0]["inForce"] is None
    assert foresail("models", "promote", "global@2").code == 2


def test_compare_says_what_differs(foresail, published):
    told = json.loads(foresail("models", "compare", "global@1", "global@2", "-o", "json").out)
    assert told["metrics"]["wql"] == [0.5, 0.25]
    assert told["sameData"] is True
    assert told["differs"]["versions"] == ["features 1", "features 2"]
    said = foresail("models", "compare", "global@1", "global@3")
    assert said.code == 0
    assert "-66.7%" in said.out
    assert "training data differs" in said.out


def test_a_damaged_one_in_force_is_a_finding(foresail, published):
    assert foresail("models", "promote", "global@1").code == 0
    (published.place("global", 1) / "arrays.npz").write_bytes(b"x")
    said = foresail("models", "list")
    assert said.code == 1
    assert "global@1: " in said.out
    assert "manifest says" in said.out
    assert foresail("models", "show", "global").code == 1
    assert foresail("models", "verify", "global@1").code == 1
    assert foresail("models", "verify", "global@2").code == 0


def test_s07_from_outside_it_takes_a_signature_and_the_word_that_it_is_trusted(foresail, published, tmp_path):
    """A model of another installation: its signature is good, and nobody here trusts it until told to."""
    theirs = own_models(tmp_path / "theirs")
    told = Manifest(kind="trees", name="global", created=NOW)
    for _ in range(4):
        theirs.publish(told, {"leaves": np.zeros(3)})
    shutil.copytree(theirs.place("global", 4), published.place("global", 4))
    said = foresail("models", "promote", "global@4")
    assert said.code == 2
    assert "not signed" in said.err
    assert foresail("models", "keygen", "release").code == 0
    assert foresail("models", "sign", "global@4", "--key", "release", "--folder", "theirs").code == 0
    shutil.copytree(theirs.place("global", 4), published.place("global", 4), dirs_exist_ok=True)
    said = foresail("models", "promote", "global@4")
    assert said.code == 2
    assert "not trusted" in said.err
    assert foresail("models", "verify", "theirs/global/4").code == 1
    assert foresail("models", "verify", "theirs/global/4", "--trust", "release.pub").code == 0
    assert foresail("models", "promote", "global@4", "--trust", "release.pub").code == 0
    assert foresail("models", "list").code == 1, "in force, and its key is not among those trusted by default"
    assert foresail("models", "list", "--trust", "release.pub").code == 0


def test_keygen_writes_nothing_over_and_sign_needs_a_private_key(foresail, published, tmp_path):
    said = foresail("models", "keygen", "mine")
    assert said.code == 0
    assert KeySigner.from_file(tmp_path / "mine").id in said.out
    assert foresail("models", "keygen", "mine").code == 2
    said = foresail("models", "sign", "global@1", "--key", "mine.pub")
    assert said.code == 2
    assert "not a private key" in said.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("show", "web"), "there is no model 'web'"),
        (("show", "global@9"), "there are global@3, global@2, global@1"),
        (("show", "global@x"), "not NAME@GENERATION"),
        (("show", "../x"), "not a name of a model"),
        (("promote", "global"), "say which generation"),
        (("promote", "global@9"), "no such folder"),
        (("roll-back", "web", "--reason", "x"), "there is no model 'web'"),
        (("roll-back", "global", "--reason", "x"), "nothing is in force"),
        (("list", "-o", "yaml"), "use table or json"),
        (("list", "--trust", "none.pub"), "none.pub"),
        (("sign", "nowhere/x", "--key", "none"), "none"),
    ],
)
def test_what_cannot_be_done_names_the_way_out(foresail, published, args, words):
    said = foresail("models", *args)
    assert said.code == 2
    assert words in said.err
