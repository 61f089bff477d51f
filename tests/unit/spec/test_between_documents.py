"""Rules between documents, folders and links, and what still holds beside a bad object."""

import os
from pathlib import Path

import pytest

from autoscaler.domain.errors import InvalidSpec
from autoscaler.spec import ObjectRef, load, load_valid, parse_text, parse_text_valid

SOURCE = """\
apiVersion: foresail.dev/v1alpha1
kind: MetricsSource
metadata: {name: prod}
spec: {file: {path: web.csv}}
"""


def autoscaler(name: str, target: str, version: str = "apps/v1", namespace: str = "shop", most: int = 9) -> str:
    return f"""\
apiVersion: foresail.dev/v1alpha1
kind: PredictiveAutoscaler
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  target: {{apiVersion: {version}, kind: Deployment, name: {target}}}
  demands: [{{name: requests, source: prod, query: q, capacity: {{perReplica: 1}}}}]
  replicas: {{min: 2, max: {most}}}
"""


def stream(*documents: str) -> str:
    return "---\n".join(documents)


def test_K03_two_autoscalers_on_one_target_are_both_refused_each_naming_the_other() -> None:
    text = stream(SOURCE, autoscaler("a", "web"), autoscaler("b", "web", "apps/v1beta1"), autoscaler("c", "api"))
    result = parse_text_valid(text, "x.yaml")
    first, second = result.problems
    assert (first.line, first.path) == (10, "spec.target")
    assert "PredictiveAutoscaler shop/b at x.yaml:16" in first.message
    assert (second.line, second.path) == (18, "spec.target")
    assert "PredictiveAutoscaler shop/a at x.yaml:8" in second.message
    assert [a.metadata.name for a in result.fleet.autoscalers] == ["c"]


def test_K03_a_rival_with_a_slip_of_its_own_still_counts() -> None:
    text = stream(SOURCE, autoscaler("a", "web"), autoscaler("b", "web", most=1))
    result = parse_text_valid(text, "x.yaml")
    assert result.fleet.autoscalers == ()
    assert [p.path for p in result.problems] == ["spec.target", "spec.target", "spec.replicas"]


def test_K03_the_same_target_name_in_another_namespace_is_another_target() -> None:
    text = stream(SOURCE, autoscaler("a", "web"), autoscaler("a", "web", namespace="stage"))
    assert len(parse_text(text, "x.yaml").compile()) == 2


def test_two_objects_of_one_name_are_both_refused_with_both_places(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SOURCE)
    (tmp_path / "b.yaml").write_text(SOURCE)
    with pytest.raises(InvalidSpec) as refused:
        load([tmp_path])
    first, second = refused.value.problems
    assert f"{tmp_path / 'b.yaml'}:3" in str(first)
    assert str(first).startswith(f"{tmp_path / 'a.yaml'}:3:18: metadata.name:")
    assert f"{tmp_path / 'a.yaml'}:3" in str(second)


def test_one_bad_object_never_stops_the_others() -> None:
    text = stream(SOURCE, autoscaler("a", "web", most=1), "kind: [\n", autoscaler("b", "api"))
    result = parse_text_valid(text, "x.yaml")
    assert [str(w.ref) for w in result.fleet.compile()] == ["shop/b"]
    assert result.refused == (ObjectRef("PredictiveAutoscaler", "shop", "a"),)
    assert [p.line for p in result.problems] == [12, 15]
    with pytest.raises(InvalidSpec) as refused:
        parse_text(text, "x.yaml")
    assert refused.value.problems == result.problems


def test_a_workload_whose_source_is_refused_is_refused_with_it() -> None:
    text = stream(SOURCE.replace("web.csv", "web.txt"), autoscaler("a", "web"))
    result = parse_text_valid(text, "x.yaml")
    assert [p.path for p in result.problems] == ["spec.file.path"]
    assert [p.path for p in result.knock_on] == ["spec.demands[0].source"]
    assert "x.yaml:3 is itself refused" in result.knock_on[0].message
    assert result.refused == (ObjectRef("MetricsSource", "", "prod"), ObjectRef("PredictiveAutoscaler", "shop", "a"))


def test_sources_known_to_the_caller_need_no_document() -> None:
    assert len(parse_text(autoscaler("a", "web"), "x.yaml", known_sources=["prod"]).compile()) == 1
    with pytest.raises(InvalidSpec, match='did you mean "prod-eu"'):
        parse_text(autoscaler("a", "web"), "x.yaml", known_sources=["prod-eu"])


def test_a_folder_reads_its_own_yaml_files_in_order_and_a_file_only_once(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text(autoscaler("b", "b"))
    (tmp_path / "a.yaml").write_text(stream(SOURCE, autoscaler("a", "a")))
    (tmp_path / ".hidden.yaml").write_text("not: ours")
    (tmp_path / "notes.txt").write_text("not: ours")
    (tmp_path / "deeper.yaml").mkdir()
    fleet = load([tmp_path, tmp_path / "a.yaml"])
    assert [a.metadata.name for a in fleet.autoscalers] == ["a", "b"]


def test_P04_a_link_out_of_the_folder_is_refused_and_one_inside_is_followed(tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text(SOURCE)
    folder = tmp_path / "policies"
    (folder / "..data").mkdir(parents=True)
    (folder / "..data" / "in.yaml").write_text(SOURCE)
    (folder / "in.yaml").symlink_to("..data/in.yaml")
    assert len(load([folder]).sources) == 1
    (folder / "out.yaml").symlink_to("../outside.yaml")
    result = load_valid([folder])
    assert len(result.fleet.sources) == 1
    assert "leads out of its folder" in result.problems[0].message


def test_a_file_that_cannot_be_read_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    for path, words in {
        tmp_path / "none.yaml": "no such file",
        tmp_path / "loop.yaml": "cannot be read",
        tmp_path / "pipe.yaml": "not a regular file",
        tmp_path / "nul\0.yaml": "cannot be read",
    }.items():
        (problem,) = load_valid([path]).problems
        assert words in problem.message
        assert (problem.line, problem.column) == (0, 0)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no .yaml" in load_valid([empty]).problems[0].message
