"""The fleet in force: a broken edit never takes a workload away, a mended one is in force at the next look."""

import pytest

from autoscaler.bootstrap.fleet_files import FleetFiles


def names(files: FleetFiles) -> list[str]:
    return [str(w.ref) for w in files.fleet.workloads]


def most(files: FleetFiles) -> dict[str, int]:
    return {w.ref.name: w.max_replicas for w in files.fleet.workloads}


@pytest.fixture
def files(estate, source, workload):
    estate.write(source(), workload("api"), workload("web"))
    found = FleetFiles([estate.folder])
    assert found.refresh()
    assert names(found) == ["shop/api", "shop/web"]
    return found


def test_nothing_is_read_again_while_nothing_changes(files):
    before = files.fleet
    assert not files.refresh()
    assert files.fleet is before
    assert files.generation == 1


def test_a_file_that_says_the_same_again_keeps_the_fleet_as_it_is(files, estate, source, workload):
    before = files.fleet
    estate.write("# a comment\n" + source(), workload("api"), workload("web"))
    assert files.refresh()
    assert files.fleet is before


@pytest.mark.parametrize(
    "edit",
    [
        lambda s, w: (s(), w("api"), w("web", replicas="{min: 9, max: 1}")),
        lambda s, w: (s(), w("api"), w("web", replicas="{min: 2, max: sixty}")),
        lambda s, w: (s(), w("api"), w("web", replicas="{{min: 2")),
        lambda s, w: (s(), w("api", replicas="{{min: 2"), w("web", replicas="{{min: 2")),
        lambda s, w: (s(), w("api"), w("web", unknown="1")),
        lambda s, w: (s(), w("api"), w("web", source="nowhere")),
        lambda s, w: (s("rec", "web.docx"), w("api"), w("web")),
        lambda s, w: (s() + "  :::\n\t- x", w("api"), w("web")),
        lambda s, w: (s(), w("api"), w("web"), w("web")),
        lambda s, w: (s(), w("api"), w("web")[:150]),
        lambda *_: ("",),
        lambda *_: ("\x00\x01",),
        lambda *_: ("a: [",),
    ],
)  # fmt: skip
def test_a_broken_edit_leaves_what_was_in_force_and_a_mended_one_replaces_it(files, estate, source, workload, edit):
    before = files.fleet.workloads
    recordings = files.recordings
    estate.write(*edit(source, workload))
    assert files.refresh()
    assert files.problems
    assert files.fleet.workloads == before
    assert files.recordings == recordings
    estate.write(source(), workload("api"), workload("web", replicas="{min: 2, max: 61}"))
    assert files.refresh()
    assert files.problems == ()
    assert most(files) == {"api": 60, "web": 61}


def test_a_good_change_beside_a_broken_one_is_in_force(files, estate, source, workload):
    estate.write(source(), workload("api", replicas="{min: 2, max: 70}"), workload("web", replicas="{min: x, max: 9}"))
    assert files.refresh()
    assert most(files) == {"api": 70, "web": 60}


def test_a_removed_workload_is_gone(files, estate, source, workload):
    estate.write(source(), workload("web"))
    assert files.refresh()
    assert names(files) == ["shop/web"]
    assert files.problems == ()


def test_a_file_that_vanishes_keeps_its_workloads_until_it_is_back(estate, source, workload):
    path = estate.write(source(), workload("web"))
    files = FleetFiles([path])
    files.refresh()
    text = path.read_text()
    path.unlink()
    assert files.refresh()
    assert "no such file" in str(files.problems[0])
    assert names(files) == ["shop/web"]
    path.write_text(text)
    assert files.refresh()
    assert files.problems == ()


def test_a_folder_that_vanishes_keeps_its_workloads(files, estate):
    estate.folder.rename(estate.folder.with_name("away"))
    assert files.refresh()
    assert files.problems
    assert names(files) == ["shop/api", "shop/web"]
    estate.folder.with_name("away").rename(estate.folder)
    assert files.refresh()
    assert files.problems == ()


def test_new_files_of_a_folder_come_in_whatever_their_suffix(files, estate, workload):
    estate.write(workload("new"), file="new.YAML")
    assert files.refresh()
    assert names(files) == ["shop/api", "shop/new", "shop/web"]
    estate.write(workload("new", replicas="{min: 1, max: 5}"), file="new.YAML")
    assert files.refresh()
    assert most(files)["new"] == 5


def test_a_mounted_config_map_that_is_swapped_is_seen(estate, source, workload):
    """Kubernetes swaps the link ..data; the names in the folder stay the same."""
    folder = estate.folder
    for version, count in (("..v1", 60), ("..v2", 50)):
        (folder / version).mkdir()
        text = "---\n".join((source(), workload("web", replicas=f"{{min: 2, max: {count}}}")))
        (folder / version / "fleet.yaml").write_text(text)
    (folder / "..data").symlink_to("..v1")
    (folder / "fleet.yaml").symlink_to("..data/fleet.yaml")
    files = FleetFiles([folder])
    files.refresh()
    assert (most(files), files.problems) == ({"web": 60}, ())
    (folder / "..next").symlink_to("..v2")
    (folder / "..next").replace(folder / "..data")
    assert files.refresh()
    assert most(files) == {"web": 50}
