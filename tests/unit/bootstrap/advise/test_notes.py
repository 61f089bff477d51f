"""What is said of the whole: the likeliest cause first, in terms of what was typed."""

from autoscaler.adapters.prometheus.discovery import Discovery, FoundHpa, FoundWorkload, Key
from autoscaler.adapters.prometheus.discovery_queries import Scope, matcher
from autoscaler.bootstrap.advise.notes import no_hpa, nobody, short

WEB = FoundWorkload(Key("shop", "Deployment", "web"), 3)


def test_nobody_is_there_for_a_reason():
    (plain,) = nobody(Discovery(), Scope())
    assert "none of its series is there; let Prometheus scrape it, or name demands in a file" in plain
    (old,) = nobody(Discovery(old=True), Scope(namespaces=("shop",)))
    assert "version 2 is needed" in old
    (typed,) = nobody(Discovery(), Scope((matcher("cluster=prod"),), ("shoop",)))
    assert "none under --namespace shoop --match cluster=prod; look at what was typed" in typed


def test_an_hpa_is_missed_where_it_was_looked_for():
    assert "pass --kubeconfig" in next(no_hpa(Discovery((WEB,)), None))
    assert "the cluster of the kubeconfig has no HPA" in next(no_hpa(Discovery((WEB,)), {}))
    with_one = FoundWorkload(WEB.key, 3, hpas=(FoundHpa("h", 1, 9),))
    assert not list(no_hpa(Discovery((WEB, with_one)), None))


def test_less_history_than_asked_for_is_said():
    assert short(6.04, 14.0).startswith("demand is on record for 6.0 of the 14 days")
