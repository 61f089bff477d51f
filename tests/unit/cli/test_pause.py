"""`foresail pause` without a cluster: a policy for the folder of --policies, and slips that are refused. Row D12."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autoscaler.spec.policy_of_pause import EVERYTHING, Stop, Whom, policy_of
from autoscaler.spec.reader import load_valid

WHY = ("--reason", "INC-43: metrics lie")
MIA = ("--by", "mia@example.com")


def test_D12_the_kill_switch_without_a_cluster_is_a_file_that_run_takes(foresail, tmp_path: Path):
    said = foresail("pause", "--all", *WHY, *MIA, "--for", "2h")
    assert said.code == 0
    assert "nothing is paused yet: write this as foresail-pause-all.yaml into the folder" in said.err
    (tmp_path / "foresail-pause-all.yaml").write_text(said.out)
    loaded = load_valid([tmp_path / "foresail-pause-all.yaml"])
    assert not loaded.problems
    explained = foresail("policy", "lint", tmp_path / "foresail-pause-all.yaml")
    assert explained.code == 0, explained.out
    said = foresail("resume", "--all")
    assert said.code == 2
    assert "delete foresail-pause-all.yaml from the folder that --policies names" in said.err


def test_names_and_namespaces_become_selectors(foresail):
    made = json.loads(foresail("pause", "shop/web", "shop/api", *WHY, *MIA, "--for", "2h", "-o", "json").out)
    assert [m["metadata"]["name"] for m in made] == ["foresail-pause.shop.web", "foresail-pause.shop.api"]
    assert made[0]["spec"]["selector"] == {"names": ["shop/web"]}
    assert "acknowledge" not in made[0]["spec"]
    (made,) = json.loads(foresail("pause", "-n", "shop", *WHY, *MIA, "--open-ended", "-o", "json").out)
    assert made["spec"] == {
        "selector": {"namespaces": ["shop"]},
        "pause": {"direction": "Both", "owner": "mia@example.com", "reason": "INC-43: metrics lie", "openEnded": True},
        "acknowledge": ["OpenEnded"],
    }


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("--all", *WHY, *MIA), "say when it ends"),
        (("--all", *WHY, *MIA, "--for", "2h", "--open-ended"), "--for and --open-ended say different things"),
        (("--all", *WHY, *MIA, "--for", "5s"), "--for '5s' must be at least 60s"),
        (("--all", *WHY, *MIA, "--until", "2020-01-01T00:00:00Z"), "is over already"),
        (("--all", *WHY, *MIA, "--until", "2099-01-01T00:00:00"), "has no time zone"),
        (("--all", *WHY, "--for", "2h"), "say it with --by"),
        (("--all", "--reason", " ", *MIA, "--for", "2h"), "--reason is empty"),
        (("--all", "--reason", "a\nb", *MIA, "--for", "2h"), "spec.pause.reason"),
        (("--all", "shop/web", *WHY, *MIA, "--for", "2h"), "--all is everything"),
        ((*WHY, *MIA, "--for", "2h"), "name workloads"),
        (("web", *WHY, *MIA, "--for", "2h"), "write NAMESPACE/NAME"),
        (("--all", *WHY, *MIA, "--for", "2h", "--direction", "Left"), "--direction 'Left' is not known"),
    ],
)
def test_slips_are_refused_and_nothing_is_printed_that_could_be_applied(foresail, typed, words):
    said = foresail("pause", *typed)
    assert (said.code, said.out) == (2, "")
    assert words in said.err


def test_no_two_pauses_share_a_name_and_all_fit():
    long, other = (".".join(["w" * 63] * 3 + [end * 61]) for end in "uv")
    whoms = [Whom(), Whom("all"), Whom("ns-a", "b"), Whom("a", "b"), Whom("a-b"), Whom("n" * 63, long)]
    whoms.append(Whom("n" * 63, other))
    names = [whom.policy_name for whom in whoms]
    assert names[0] == EVERYTHING
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 253
    for whom in whoms:
        assert policy_of(whom, Stop("mia", "why", None))["metadata"]["name"] == whom.policy_name
