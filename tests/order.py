"""In which order test files run where `make test` gives them out one by one to its workers.

Tests on servers wait a lot and the others compute, so they go side by side; of each the longest first, so that no
worker is left alone with one at the end. A file stays whole: what its fixtures start or compute is made once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

SERVERS = ("tests/browser/", "tests/integration/", "tests/real/")
LONGEST_S = {
    "tests/contract/test_forecasters.py": 20,
    "tests/integration/test_demo.py": 50,
    "tests/integration/test_engine_state_kill.py": 35,
    "tests/integration/test_notebooks.py": 90,
    "tests/integration/test_notify_kill.py": 20,
    "tests/integration/test_report_live.py": 40,
    "tests/integration/test_run_service.py": 40,
    "tests/integration/test_store_kill.py": 12,
    "tests/real/test_acting_scale.py": 40,
    "tests/real/test_acting_service.py": 70,
    "tests/real/test_advise.py": 120,
    "tests/real/test_advise_cluster.py": 30,
    "tests/real/test_alerts.py": 40,
    "tests/real/test_chart.py": 70,
    "tests/real/test_custom_resources.py": 30,
    "tests/real/test_hpa_facts.py": 25,
    "tests/real/test_kubectl_foresail.py": 150,
    "tests/real/test_match_day_on_a_cluster.py": 30,
    "tests/real/test_operator.py": 110,
    "tests/real/test_operator_alerts.py": 30,
    "tests/real/test_operator_cache.py": 80,
    "tests/real/test_operator_leading.py": 130,
    "tests/real/test_operator_rows.py": 110,
    "tests/real/test_operator_soak.py": 100,
    "tests/real/test_operator_tenants.py": 60,
    "tests/real/test_policies_in_service.py": 70,
    "tests/real/test_prometheus_sources.py": 25,
    "tests/real/test_proof_on_a_match_day.py": 110,
    "tests/unit/bootstrap/test_comparing.py": 45,
    "tests/unit/bootstrap/test_simulate.py": 40,
    "tests/unit/cli/test_report.py": 60,
    "tests/unit/learning/test_training_process.py": 40,
}
"""Roughly, on two busy hyperthreads; a wrong number costs seconds of a run and no test."""
USUAL_S, A_TEST_S = 0.5, 0.05


def in_order(tests: Mapping[str, int]) -> list[str]:
    """tests: how many each file has, by its path from the root. The order depends on nothing else."""
    seconds = {path: LONGEST_S.get(path, USUAL_S + A_TEST_S * count) for path, count in tests.items()}
    longest = sorted(tests, key=lambda path: (-seconds[path], path))
    served = [path for path in longest if path.startswith(SERVERS)]
    return list(_side_by_side(served, [path for path in longest if not path.startswith(SERVERS)], seconds))


def _side_by_side(one: Iterable[str], other: Iterable[str], seconds: Mapping[str, float]) -> Iterator[str]:
    """Both in their order, each as far as the other by the seconds that went into it."""
    ahead = sorted(
        (begun_s, lane, path) for lane, paths in enumerate((one, other)) for begun_s, path in _begun(paths, seconds)
    )
    yield from (path for _, _, path in ahead)


def _begun(paths: Iterable[str], seconds: Mapping[str, float]) -> Iterator[tuple[float, str]]:
    begun_s = 0.0
    for path in paths:
        yield begun_s, path
        begun_s += seconds[path]
