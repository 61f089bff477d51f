"""Hostile and broken YAML (P01, P04), and fuzz over every field (P04, P07)."""

import copy
import json
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.domain.errors import InvalidSpec, Problem
from autoscaler.spec import composer, load, load_valid, parse_text, parse_text_valid
from autoscaler.spec.reader import MAX_BYTES

SOURCE = """\
apiVersion: foresail.dev/v1alpha1
kind: MetricsSource
metadata: {name: prod}
spec: {file: {path: web.csv}}
"""

FULL = {
    "apiVersion": "foresail.dev/v1alpha1",
    "kind": "PredictiveAutoscaler",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"a": "b"}, "annotations": {"a": "b"}},
    "spec": {
        "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "mode": "Act",
        "actuation": "Scale",
        "acknowledge": ["NoReactiveBackup"],
        "demands": [{"name": "r", "source": "prod", "query": "q", "capacity": {"perReplica": "45"}}],
        "objective": {"costs": {"shortage": 20, "replica": 0.1}},
        "replicas": {"min": 2, "max": 60},
        "lead": {"ready": "3m", "warmup": "0s", "actuation": "0s"},
        "headroom": "20%",
        "maxDataAge": "3m",
        "behavior": {
            "scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max"},
            "scaleDown": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]},
        },
        "pause": {"direction": "Up", "owner": "m", "reason": "r", "until": "2026-03-01T06:00:00Z"},
    },
}


def paths(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, inner in items for path in paths(inner, (*at, key)))]


PATHS = paths(FULL)
ODD: list[object] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        10**30,
        -(10**30),
        0.5,
        1e308,
        float("inf"),
        float("nan"),
        "",
        " ",
        "x",
        "NO",
        "1e3",
    ),
    *(
        "\n",
        "é",
        "\U0001f600",
        "{}",
        "a" * 300,
        "9" * 400,
        "9" * 400 + "m",
        "1e999",
        "0x10",
        "%",
        "0%",
        "99999999%",
        "-3m",
    ),
    *("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "../x.csv", "a/b", "\x7f", "{text}", "'", '"'),
    *([], {}, [None], [[]], {"x": None}, {"x": "y"}, [1, "a"], {"": ""}, [{}]),
]


def replaced(path: tuple[str | int, ...], value: object) -> object:
    if not path:
        return value
    tree = copy.deepcopy(FULL)
    at: object = tree
    for part in path[:-1]:
        at = at[part]  # type: ignore[index]
    at[path[-1]] = value  # type: ignore[index]
    return tree


def survives(text: str) -> None:
    """Either a fleet that compiles, or problems that all print and have a place; never another error."""
    result = parse_text_valid(f"{SOURCE}---\n{text}", "x.yaml")
    result.fleet.compile()
    for problem in result.problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert "\n" not in str(problem)
        str(problem).encode()
    assert [s.metadata.name for s in result.fleet.sources] in ([], ["prod"])


@pytest.mark.parametrize("path", PATHS, ids=lambda p: ".".join(map(str, p)) or "document")
def test_P07_every_field_replaced_by_every_odd_value_never_crashes(path: tuple[str | int, ...]) -> None:
    for odd in ODD:
        survives(json.dumps(replaced(path, odd)).replace("Infinity", ".inf").replace("NaN", ".nan"))


def test_P07_every_field_replaced_by_null_is_as_if_it_were_absent() -> None:
    for path in PATHS:
        if not path or isinstance(path[-1], int):
            continue
        absent = copy.deepcopy(FULL)
        at: object = absent
        for part in path[:-1]:
            at = at[part]  # type: ignore[index]
        del at[path[-1]]  # type: ignore[attr-defined]
        texts = [f"{SOURCE}---\n{json.dumps(tree)}" for tree in (replaced(path, None), absent)]
        blank, gone = (parse_text_valid(text, "x.yaml") for text in texts)
        assert [p.path for p in blank.problems] == [p.path for p in gone.problems]
        assert blank.fleet == gone.fleet


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(path=st.sampled_from(PATHS), value=JSON)
def test_P04_any_value_in_any_field_never_crashes(path: tuple[str | int, ...], value: object) -> None:
    text = json.dumps(replaced(path, value), ensure_ascii=False).replace("Infinity", ".inf").replace("NaN", ".nan")
    survives(text)


@settings(max_examples=80, deadline=None)
@given(text=st.text(alphabet=st.sampled_from("abc:-?[]{},&*!|>'\"%@`#\\ \n\t\x85~01.<=_yn\u2028é"), max_size=60))
def test_P04_any_text_never_crashes(text: str) -> None:
    try:
        parse_text(text, "x.yaml")
    except InvalidSpec as refused:
        assert refused.problems  # noqa: PT017


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 700), junk=st.text(max_size=4), cut=st.integers(0, 5))
def test_P04_damage_anywhere_in_a_good_file_never_crashes(at: int, junk: str, cut: int) -> None:
    text = SOURCE + "---\n" + json.dumps(FULL, indent=1)
    parse_text_valid(text[:at] + junk + text[at + cut :], "x.yaml")


def only(text: str) -> Problem:
    result = parse_text_valid(text, "x.yaml")
    assert result.fleet.autoscalers == ()
    (problem,) = result.problems
    return problem


LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
QUADRATIC = f"a: &a [{', '.join('x' for _ in range(1000))}]\nb: [{', '.join('*a' for _ in range(999))}]\n"

BOMBS = [
    ("billion laughs", LAUGHS, "more than 200000 values"),
    ("quadratic", QUADRATIC, "more than 200000 values"),
    ("aliases", "a: &a x\nb: [" + "*a, " * 1001 + "]\n", "more than 1000 aliases"),
    ("self", "a: &a [*a]\n", "inside the very value it names"),
    ("deep flow", "a: " + "[" * 40 + "]" * 40, "deeper than 32"),
    ("deep flow, very", "{" * 100_000, "deeper than 32"),
    ("deep block", "".join(" " * i + f"k{i}:\n" for i in range(40)), "deeper than 32"),
    ("deep by alias", "".join(f"a{i}: &a{i} [{f'*a{i - 1}' if i else 'x'}]\n" for i in range(40)), "deeper than 32"),
    ("size", "#" * (MAX_BYTES + 1), "larger than 1 MiB"),
    ("size in bytes", "é" * (MAX_BYTES // 2 + 1), "larger than 1 MiB"),
    ("tag", "a: !!python/object/apply:os.system [x]\n", "tags are not accepted"),
    ("unknown alias", "a: *b\n", "names no anchor"),
    ("merge of text", "a: {<<: b}\n", "<< takes a mapping"),
    ("directive", "%YAML 1.1\n---\na: b\n", "YAML 1.2 only"),
    ("control", "a: \x01\n", "U+0001"),
    ("line separator", "a: b\u2028c\n", "U+2028"),
    ("escape out of range", 'a: "\\UFFFFFFFF"\n', "out of range"),
    ("empty", "", "the file is empty"),
    ("comments only", "# nothing\n---\n# here\n---\n~\n", "the file is empty"),
    ("text", "hello\n", "must be a mapping"),
    ("list", "- a\n", "must be a mapping"),
]


@pytest.mark.parametrize(("text", "words"), [row[1:] for row in BOMBS])
def test_P04_bombs_are_refused_quickly_and_plainly(text: str, words: str) -> None:
    start = time.monotonic()
    found = parse_text_valid(text, "x.yaml").problems
    assert any(words in str(problem) for problem in found)
    assert time.monotonic() - start < 20, "a bomb that goes off takes hours, or all memory"


def test_P04_a_file_of_too_many_values_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a limit of a twentieth: the bombs above go off at the real one, and as many typed values take long."""
    monkeypatch.setattr(composer, "_Budget", partial(composer._Budget, nodes=10_000))
    assert "more than 200000 values" in only("[" + "1,\n" * 10_000 + "]").message


def test_P04_bytes_that_are_not_utf8_are_named_with_their_place(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"a: b\nc: \xc3\xa9\xff\n")
    (problem,) = load_valid([file]).problems
    assert (problem.line, problem.column, problem.value) == (2, 5, "byte 0xFF")
    file.write_text(SOURCE, encoding="utf-16")
    assert "UTF-16" in load_valid([file]).problems[0].message


def test_P04_a_huge_file_is_refused_without_being_read(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    with file.open("wb") as stream:
        stream.truncate(100 << 20)
    assert "larger than 1 MiB" in load_valid([file]).problems[0].message


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + SOURCE.replace("\n", "\r\n").encode())
    assert load([file]).sources[0].metadata.name == "prod"


def test_P01_after_a_syntax_error_later_documents_are_still_read_at_their_lines() -> None:
    text = f"a: [\n---\n{SOURCE}---\nb: 'x\n---\nkind: Nothing\n"
    result = parse_text_valid(text, "x.yaml")
    assert [s.metadata.name for s in result.fleet.sources] == ["prod"]
    assert [p.line for p in result.problems] == [2, 9, 10]


def test_P01_a_file_of_broken_documents_ends(tmp_path: Path) -> None:
    result = parse_text_valid("--- [\n" * 1000, "x.yaml")
    assert "documents are broken" in result.problems[-1].message
    assert len(result.problems) == 21


def test_merge_keys_add_what_is_not_said_and_complaints_point_into_the_anchor() -> None:
    text = f"""{SOURCE}---
apiVersion: foresail.dev/v1alpha1
kind: PredictiveAutoscaler
metadata: {{name: web}}
spec:
  target: {{apiVersion: apps/v1, kind: Deployment, name: web}}
  demands:
  - &first {{name: a, source: prod, query: q, capacity: {{perReplica: 1}}}}
  - {{<<: *first, name: b}}
  replicas: {{max: 3}}
"""
    (web,) = parse_text(text, "x.yaml").compile()
    assert [(d.name, d.query) for d in web.demands] == [("a", "q"), ("b", "q")]
    found = parse_text_valid(text.replace("perReplica: 1", "perReplica: 0"), "x.yaml").problems
    assert [(p.line, p.path) for p in found] == [
        (12, "spec.demands[0].capacity.perReplica"),
        (12, "spec.demands[1].capacity.perReplica"),
    ]
