"""Which objects are paused by a policy, since what is written into them is not in force."""

from __future__ import annotations

import pytest

from autoscaler.bootstrap import pausing
from autoscaler.domain.series import DataVerdict
from autoscaler.reporting.status import Standing, status_of
from tests.unit.reporting.test_status import NOW, SLIP, decision, demand


@pytest.mark.parametrize(
    ("wrong", "verdict", "by_policy"),
    [((SLIP,), DataVerdict.OK, True), ((), DataVerdict.BAD_QUERY, False), ((), DataVerdict.OK, False)],
)
def test_one_whose_query_its_source_refuses_is_in_force_and_takes_its_own_pause(wrong, verdict, by_policy):
    """An app team may write its own object and no policy."""
    made = decision(demands=(demand(verdict=verdict),))
    status = status_of(Standing(3, ("Deployment", "web"), made, wrong), {}, NOW)
    assert pausing._stalled({"status": status}) is by_policy
