"""What a user writes into --queries: taken as meant, or refused with the line."""

from pathlib import Path
from typing import Any

import pytest

from autoscaler.adapters.prometheus.discovery import Discovery, FoundHpa, FoundWorkload, HpaMetric, Key
from autoscaler.adapters.prometheus.discovery_queries import Scope
from autoscaler.bootstrap.advise.candidates import Basis, Unjudged
from autoscaler.bootstrap.advise.queries_file import read_queries, typed_candidates
from autoscaler.domain.errors import InvalidSpec

GOOD = """
- name: web
  namespace: shop
  query: sum(rate(http_requests_total{app="web"}[1m]))
  capacity: "45"
  hpa: {target: 70, min: 2, max: 60}
- {name: mail, query: 'sum(rate(mails_total[1m]))'}
"""


def _file(folder: Path, text: str) -> Path:
    path = folder / "queries.yaml"
    path.write_text(text)
    return path


def test_all_that_is_written_is_taken(tmp_path):
    web: Any
    web, mail = read_queries(_file(tmp_path, GOOD))
    assert (web.namespace, web.capacity, web.hpa.target, mail.namespace) == ("shop", "45", 70, "default")
    one: Any
    (one, other), unjudged = typed_candidates((web, mail), Discovery(), Scope())
    assert unjudged == ()
    assert (one.basis, one.capacity, one.hpa.capacity_percent, one.pods) == (Basis.TYPED, 45.0, 70, None)
    assert other.hpa is None


def test_what_is_left_out_comes_from_the_workload_of_that_name(tmp_path):
    known = FoundWorkload(
        Key("default", "StatefulSet", "mail"),
        3,
        0.5,
        hpas=(FoundHpa("m", 2, 9, (HpaMetric("cpu", "Utilization", 60),)),),
    )
    mail: Any
    (_, mail), _ = typed_candidates(read_queries(_file(tmp_path, GOOD)), Discovery((known,)), Scope())
    assert (mail.kind, mail.replicas, mail.request_cores, mail.hpa.cpu_share) == ("StatefulSet", 3, 0.5, 0.6)
    assert "mail" in mail.pods.owned
    clashing = FoundWorkload(known.key, 3, hpas=(*known.hpas, *known.hpas))
    _, (refused,) = typed_candidates(read_queries(_file(tmp_path, GOOD)), Discovery((clashing,)), Scope())
    assert isinstance(refused, Unjudged)
    assert "2 HPAs" in refused.reason


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("- name: web\n  qery: up\n  query: up", "2:3", 'unknown field "qery"'),
        ("- name: web", "1:3", "query: is missing"),
        ("- name: Web\n  query: sum(x)", "1:9", "name"),
        ("web: sum(x)", "1:1", "a list is expected"),
        ("- {name: a, query: sum(x), hpa: {target: 70, min: 9, max: 2}}", "1:33", "min 9 is above max 2"),
        ("- {name: a, query: sum(x), hpa: {target: 0, max: 2}}", "1:42", "target"),
        ("- {name: a, query: sum(x)}\n- {name: a, query: sum(y)}", "2:3", "stands in line 1 too"),
        ("- {name: a, query: 'avg(rate(x_total[1m]))'}", "1:20", "the demand of one pod"),
        ("- {name: a, query: sum(queue_length)}", "1:20", "looks like a queue"),
        ("- {name: a, query: sum(x_total)}", "1:20", "without rate"),
        ("- [", "1:", ""),
        ("", "1:1", "no query is in the file"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(tmp_path, text, place, words):
    path = _file(tmp_path, text)
    with pytest.raises(InvalidSpec) as refused:
        read_queries(path)
    assert f"{path}:{place}" in str(refused.value)
    assert words in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InvalidSpec, match="No such file or directory; check the path"):
        read_queries(tmp_path / "none.yaml")
