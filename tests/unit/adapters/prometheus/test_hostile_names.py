"""Names of a cluster in queries that we compose: whatever they hold, they stay inside their quotes. Row S04."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.adapters.prometheus.discovery_counters import COUNTERS
from autoscaler.adapters.prometheus.discovery_queries import Pods, Scope
from autoscaler.adapters.prometheus.promql import Matcher, reading

HOSTILE = st.one_of(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=60),
    st.sampled_from(
        ['x"} or vector(1) #', 'x",namespace=~".*', "x\\", "x\n} or up", 'a"b\\"c', "`", "'", "$1", "{{.}}"]
    ),
)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
@given(namespace=HOSTILE, name=HOSTILE, tenant=HOSTILE)
def test_S04_no_name_widens_what_is_asked(kind, namespace, name, tenant):
    """Each selector keeps the scope's matcher as it is, and reads only metrics that we name."""
    scope = Scope((Matcher("tenant", "=", tenant),), (namespace,))
    pods = Pods(scope, namespace, kind, name)
    plain = Pods(Scope((Matcher("tenant", "=", "t"),), ("shop",)), "shop", kind, "web")

    def queries(of: Pods) -> list[str]:
        own = [of.cpu_cores(120), of.throttled_share(300), of.replicas("ready"), of.replicas("wanted")]
        return [*own, *(c.per_second(of, 120) for c in COUNTERS), of.scope.by("kube_pod_owner", "pod")]

    for ours, theirs in zip(queries(plain), queries(pods), strict=True):
        here, there = reading(ours), reading(theirs)
        assert there.understood, theirs
        assert [s.metric for s in there.selectors] == [s.metric for s in here.selectors]
        for expected, found in zip(here.selectors, there.selectors, strict=True):
            assert [(m.label, m.operator) for m in found.matchers] == [(m.label, m.operator) for m in expected.matchers]
            assert Matcher("tenant", "=", tenant) in found.matchers
