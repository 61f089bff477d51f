"""docs/kubectl.md says what the API serves, what it needs and what pauses are called."""

from __future__ import annotations

import re
from pathlib import Path

from autoscaler.adapters.kubernetes.connection import Access, Connection
from autoscaler.adapters.kubernetes.proxied import OperatorApi
from autoscaler.bootstrap.reading import Reading
from autoscaler.cli.cluster_choice import OPERATOR_NAMESPACE, OPERATOR_SERVICE
from autoscaler.reporting.recent import MOST_CELLS
from autoscaler.spec.policy_of_pause import Whom
from autoscaler.web import reading as web

PAGE = (Path(__file__).parents[3] / "docs" / "kubectl.md").read_text()


def test_every_path_of_the_api_is_listed_and_no_other():
    listed = re.findall(r"^\| `(/api/v1/[^?`]*)", PAGE, re.MULTILINE)
    served = [route.path for route in web.reading_routes(Reading(Path("foresail.db")))]
    assert sorted(p.replace("NS/NAME", "{namespace}/{name}") for p in listed) == sorted(served)


def test_its_limits_are_those_of_the_code():
    assert f"by pages of {web.PAGE} (at most {web.MOST_PAGE})" in PAGE
    assert f"{web.RUNS} (at most {web.MOST_RUNS})" in PAGE
    assert f"at most {MOST_CELLS} cells over at most a week" in PAGE
    assert web.MOST_HOURS == 7 * 24
    assert web.AT_ONCE == 4
    assert "More than four questions at once" in PAGE


def test_the_right_to_ask_is_the_one_that_the_command_needs():
    api = OperatorApi(Connection(Access()), OPERATOR_NAMESPACE, OPERATOR_SERVICE)
    assert f'resourceNames: ["{api.proxied}"]' in PAGE
    assert f"in namespace `{OPERATOR_NAMESPACE}`" in PAGE


def test_pauses_are_called_as_it_says():
    assert f"`{Whom('NAMESPACE').policy_name}`" in PAGE
    assert f"`{Whom().policy_name}`" in PAGE
