"""P01, P05: what a broken, emptied, removed or missing policy file means for the workloads that it is about."""

import pytest

from autoscaler.bootstrap.fleet_files import FleetFiles


def policy(name: str = "shop", most: object = 20, selector: str = "{namespaces: [shop]}") -> str:
    return (
        f"apiVersion: foresail.dev/v1alpha1\nkind: GuardPolicy\nmetadata: {{name: {name}}}\n"
        f"spec:\n  selector: {selector}\n  limits: {{replicas: {{max: {most}}}}}\n"
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "policies").mkdir()
    return tmp_path / "policies"


@pytest.fixture
def opened(estate, source, workload, folder):
    """Files over a fleet of two, and the policies of the folder."""

    def make(**changes) -> FleetFiles:
        estate.write(source(), workload("api"), workload("web", namespace="other"))
        files = FleetFiles([estate.folder], policies_in=[folder], **changes)
        files.refresh()
        return files

    return make


def most(files: FleetFiles) -> dict[str, int]:
    return {w.ref.name: w.max_replicas for w in files.fleet.workloads}


def unknown(files: FleetFiles) -> list[str]:
    return [w.ref.name for w in files.fleet.workloads if w.guarded and w.guarded.unknown]


def rewrite(path, text: str) -> None:
    (draft := path.with_suffix(".draft")).write_text(text)
    draft.replace(path)


def test_a_policy_takes_effect_and_an_edit_replaces_it_at_the_next_look(opened, folder):
    path = folder / "shop.yaml"
    path.write_text(policy())
    files = opened()
    assert (most(files), files.problems) == ({"api": 20, "web": 60}, ())
    rewrite(path, policy(most=30))
    before = files.generation
    assert files.refresh()
    assert most(files)["api"] == 30
    assert files.generation == before + 1


BROKEN = [
    ("syntax", "a: ["),
    ("typo", policy().replace("limits", "limit")),
    ("wrong type", policy(most='"20"')),
    ("emptied spec", policy().partition("  limits")[0]),
    ("emptied file", ""),
    ("blank", "\n\n"),
    ("binary", "\x00\x01"),
    ("half of it", policy()[:90]),
    ("twice", policy() + "---\n" + policy(most=9)),
    ("min over max", policy().replace("max: 20", "min: 9, max: 3")),
    ("another kind", policy().replace("GuardPolicy", "GardPolicy")),
]


@pytest.mark.parametrize("text", [b[1] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_P01_P05_a_broken_or_emptied_edit_keeps_the_policy_that_was_in_force(opened, folder, text):
    path = folder / "shop.yaml"
    path.write_text(policy())
    files = opened()
    rewrite(path, text)
    assert files.refresh()
    assert files.problems
    assert most(files) == {"api": 20, "web": 60}
    assert unknown(files) == []
    rewrite(path, policy(most=25))
    assert files.refresh()
    assert (most(files)["api"], files.problems) == (25, ())


def test_P05_a_file_that_is_gone_with_its_folder_keeps_the_policy_until_it_is_back(opened, folder):
    (folder / "shop.yaml").write_text(policy())
    files = opened()
    (folder / "shop.yaml").unlink()
    assert files.refresh()  # the folder holds nothing any more: a mount that failed, not a decision
    assert files.problems
    assert most(files)["api"] == 20


def test_P05_a_policy_removed_on_purpose_leaves_the_workloads_own_and_the_built_in_limits(opened, folder):
    (folder / "shop.yaml").write_text(policy())
    (folder / "other.yaml").write_text(policy("other", 7, "{namespaces: [other]}"))
    files = opened()
    (folder / "shop.yaml").unlink()
    assert files.refresh()
    (api, _) = files.fleet.workloads if files.fleet.workloads[0].ref.name == "api" else files.fleet.workloads[::-1]
    assert (api.max_replicas, api.guarded) == (60, None)
    assert api.scale_down.stabilization_s == 300
    assert [(p.type, p.value, p.period_s) for p in api.scale_down.policies] == [("Percent", 10, 60)]


@pytest.mark.parametrize(
    ("text", "held"),
    [
        (policy(most='"20"'), ["api"]),  # whom it is about can be read
        (policy(selector="{namespaces: shop}"), ["api", "web"]),
        ("a: [", ["api", "web"]),
        ("", ["api", "web"]),
    ],
    ids=["selector whole", "selector broken", "syntax", "empty"],
)
def test_P05_after_a_restart_with_a_broken_policy_whoever_it_may_be_about_holds(opened, folder, text, held):
    path = folder / "shop.yaml"
    path.write_text(text)
    files = opened()
    assert sorted(unknown(files)) == held
    assert not files.refresh()
    rewrite(path, text + "\n# again")
    assert files.refresh()
    assert sorted(unknown(files)) == held  # looking again makes nothing known
    rewrite(path, policy())
    assert files.refresh()
    assert (unknown(files), most(files)["api"]) == ([], 20)


def test_P01_a_broken_new_policy_beside_good_ones_changes_nothing(opened, folder):
    (folder / "shop.yaml").write_text(policy())
    files = opened()
    (folder / "new.yaml").write_text(policy("new", '"5"'))
    assert files.refresh()
    assert files.problems
    assert (most(files)["api"], unknown(files)) == (20, [])


def test_a_broken_workload_file_says_nothing_about_policies(opened, estate, folder, source, workload):
    (folder / "shop.yaml").write_text(policy())
    estate.write("a: [", file="broken.yaml")
    files = opened()
    assert files.problems
    assert unknown(files) == []


def test_policies_may_also_stand_among_the_fleets_own_files(estate, source, workload):
    estate.write(source(), workload("api"), policy(most=5))
    files = FleetFiles([estate.folder])
    files.refresh()
    assert most(files) == {"api": 5}


def test_a_site_selects(opened, folder):
    (folder / "shop.yaml").write_text(policy(selector="{sites: [berlin]}"))
    assert most(opened())["api"] == 60
    assert most(opened(site="berlin")) == {"api": 20, "web": 20}


def test_tests_of_policies_are_no_part_of_the_fleet(opened, folder):
    (folder / "shop.yaml").write_text(policy())
    (folder / "shop_test.yaml").write_text("anything: at all\n")
    assert opened().problems == ()
