"""The order in which files run: every file once, the same whatever was first, the longest ones not at the end."""

import random
from pathlib import Path

from tests.order import LONGEST_S, in_order

ROOT = Path(__file__).parents[2]


def test_every_file_that_is_named_is_there():
    assert [path for path in LONGEST_S if not (ROOT / path).is_file()] == []


def test_each_file_comes_once_and_the_order_depends_on_nothing_but_the_files():
    tests = dict.fromkeys(LONGEST_S, 5) | {f"tests/unit/test_{k}.py": k for k in range(300)}
    order, shuffled = in_order(tests), list(tests.items())
    random.Random(1).shuffle(shuffled)
    assert sorted(order) == sorted(tests)
    assert in_order(dict(shuffled)) == order


def test_the_longest_of_both_kinds_begin_and_short_ones_end():
    tests = dict.fromkeys(LONGEST_S, 5) | {f"tests/unit/test_{k}.py": k for k in range(300)}
    order = in_order(tests)
    served = [path for path in order if path.startswith("tests/real/")]
    assert {order[0], order[1]} == {"tests/real/test_kubectl_foresail.py", "tests/unit/cli/test_report.py"}
    assert [LONGEST_S[path] for path in served] == sorted((LONGEST_S[path] for path in served), reverse=True)
    assert LONGEST_S.get(order[-1], 0) < 30
