"""P01, P02, P03, P07 for GuardPolicies: each slip with its place, and the way out."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from autoscaler.domain.errors import InvalidSpec
from autoscaler.spec import parse_text, parse_text_valid
from autoscaler.spec.composer import compose
from autoscaler.spec.nodes import plain

ONCE = '{once: {from: "2026-11-27T06:00:00Z", until: "2026-11-28T06:00:00Z"}}'


def week(**changes: str) -> str:
    fields = {"days": "[Mon]", "from": '"08:00"', "to": '"20:00"', "timeZone": "Europe/Berlin"} | changes
    return "{weekly: {" + ", ".join(f"{k}: {v}" for k, v in fields.items() if v) + "}}"


def schedule(**changes: str) -> dict[str, str]:
    return {"limits": f"{{schedule: [{{name: s, min: 4, when: {week(**changes)}}}]}}"}


CASES: list[tuple[str, dict[str, str], str, str, str]] = [
    ("nothing said", {}, "spec", "says nothing: there are no defaults, limits or pause", "write one of them"),
    ("brake of nothing", {"limits": "{brake: {mayCauseShortage: true}}"}, "spec.limits.brake", "says nothing", "grow"),
    ("shortage by a brake", {"limits": '{brake: {grow: "10%", mayCauseShortage: true}}'}, "spec.limits.brake",
     "leaves workloads short", "acknowledge: [MayCauseShortage]"),
    ("shortage by a budget", {"limits": "{budget: {replicas: 9, mayCauseShortage: true}}"}, "spec.limits.budget",
     "leaves workloads short", "acknowledge: [MayCauseShortage]"),
    ("anomaly cause typo", {"limits": "{anomaly: {suspectedAtack: {shrink: true}}}"},
     "spec.limits.anomaly.suspectedAtack", "unknown field", 'did you mean "suspectedAttack"?'),
    ("anomaly of nothing", {"limits": "{anomaly: {demand: {}}}"}, "spec.limits.anomaly.demand", "says nothing", ""),
    ("anomaly cap of nothing", {"limits": "{anomaly: {demand: {cap: {mayCauseShortage: true}}}}"},
     "spec.limits.anomaly.demand.cap", "says nothing", "write over"),
    ("S09 shortage by an anomaly cap", {"limits": "{anomaly: {demand: {cap: {replicas: 9, mayCauseShortage: true}}}}"},
     "spec.limits.anomaly.demand.cap.mayCauseShortage", "leaves workloads short", "acknowledge: [MayCauseShortage]"),
    ("shortage by no growth", {"defaults": "{anomaly: {capacity: {growth: None}}}"},
     "spec.defaults.anomaly.capacity.growth", "leaves workloads short", "acknowledge: [MayCauseShortage]"),
    ("shortage by a step limit", {"limits": "{behavior: {scaleUp: {mayCauseShortage: true, policies: "
                                  "[{type: Pods, value: 4, periodSeconds: 60}]}}}"},
     "spec.limits.behavior.scaleUp.mayCauseShortage", "leave workloads short", "acknowledge: [MayCauseShortage]"),
    ("shortage by no step limit", {"limits": "{behavior: {scaleUp: {mayCauseShortage: true}}}"},
     "spec.limits.behavior.scaleUp.mayCauseShortage", "means nothing", "write policies"),
    ("shortage downward", {"limits": "{behavior: {scaleDown: {mayCauseShortage: true}}}"},
     "spec.limits.behavior.scaleDown.mayCauseShortage", "unknown field", ""),
    ("event of nothing", {"limits": f"{{events: [{{name: e, when: {ONCE}}}]}}"}, "spec.limits.events[0]",
     "says nothing", "write floor, uplift"),
    ("F08 an uplift that is none", {"limits": f"{{events: [{{name: e, uplift: 1.0, when: {ONCE}}}]}}"},
     "spec.limits.events[0].uplift", "greater than 1", ""),
    ("budget of nothing", {"limits": "{budget: {mayCauseShortage: true}}"}, "spec.limits.budget", "nothing", "perHour"),
    ("money without a price", {"limits": '{budget: {perHour: "9"}}'}, "spec.limits.budget.replicaPrice",
     "needs the price", "0.05"),
    ("money below nothing", {"limits": '{budget: {perHour: "-9", replicaPrice: "0.05"}}'}, "spec.limits.budget.perHour",
     "must be positive", "above zero"),
    ("trust in nothing", {"limits": "{forecastTrust: {}}"}, "spec.limits.forecastTrust", "says nothing", "maxMargin"),
    ("no end unsaid", {"pause": "{owner: mia, reason: test, openEnded: true}"}, "spec.pause", "easily forgotten",
     "acknowledge: [OpenEnded]"),
    ("a number and a direction", {"pause":
     '{owner: m, reason: t, at: 3, direction: Up, until: "2026-03-01T06:00:00Z"}'},
     "spec.pause.at", "stops both directions", "remove direction"),
    ("emptied limits", {"limits": "{}"}, "spec.limits", "says nothing", "remove the field"),
    ("emptied direction", {"limits": "{behavior: {scaleUp: {}}}"}, "spec.limits.behavior.scaleUp", "says nothing", ""),
    ("no selector", {"selector": "", "defaults": '{headroom: "9%"}'}, "spec.selector", "is missing", "write selector"),
    ("typo", {"limit": "{replicas: {max: 3}}"}, "spec.limit", 'unknown field "limit"', 'did you mean "limits"?'),
    ("typo in selector", {"selector": "{namespace: [shop]}", "defaults": '{headroom: "9%"}'},
     "spec.selector.namespace", "unknown field", 'did you mean "namespaces"?'),
    ("defaults cannot cap", {"defaults": "{replicas: {max: 9}}"}, "spec.defaults.replicas.max", "unknown field", "min"),
    ("text count", {"limits": '{replicas: {max: "40"}}'}, "spec.limits.replicas.max", "whole number", "without quotes"),
    ("min over max", {"limits": "{replicas: {min: 9, max: 3}}"}, "spec.limits.replicas", "min 9 is above max 3", ""),
    ("zone", schedule(timeZone="Europe/Berln"), "spec.limits.schedule[0].when.weekly.timeZone",
     "is not an IANA time zone", 'did you mean "Europe/Berlin"?'),
    ("abbreviation", schedule(timeZone="CET"), "spec.limits.schedule[0].when.weekly.timeZone", "IANA", "UTC"),
    ("offset", schedule(timeZone='"+01:00"'), "spec.limits.schedule[0].when.weekly.timeZone", "IANA", ""),
    ("path for a zone", schedule(timeZone='"../../etc/passwd"'), "spec.limits.schedule[0].when.weekly.timeZone",
     "IANA", ""),
    ("no zone", schedule(timeZone=""), "spec.limits.schedule[0].when.weekly.timeZone", "is missing", "Europe/Berlin"),
    ("day", schedule(days="[Monday]"), "spec.limits.schedule[0].when.weekly.days[0]", "is not a weekday", '"Mon"'),
    ("P02 sexagesimal", schedule(**{"from": "12:30"}), "", "YAML 1.1", "in quotes"),
    ("clock", schedule(**{"from": '"8:00"'}), "spec.limits.schedule[0].when.weekly.from", "time of the day", "08:30"),
    ("clock over", schedule(to='"24:01"'), "spec.limits.schedule[0].when.weekly.to", "time of the day", "24:00"),
    ("starts at the end", schedule(**{"from": '"24:00"'}), "spec.limits.schedule[0].when.weekly.from", "start", ""),
    ("P02 date", {"limits": "{schedule: [{name: s, min: 4, when: {dates: {list: [2026-12-24], timeZone: UTC}}}]}"},
     "", "a date to YAML 1.1", "in quotes"),
    ("no such day", {"limits": '{schedule: [{name: s, min: 4, when: {dates: {list: ["2026-02-30"], timeZone: UTC}}}]}'},
     "spec.limits.schedule[0].when.dates.list[0]", "no day of the calendar", "month and day"),
    ("backwards", {"limits": '{events: [{name: e, floor: 4, when: {once: {from: "2026-02-02T00:00:00Z", '
                             'until: "2026-02-01T00:00:00Z"}}}]}'},
     "spec.limits.events[0].when.once.until", "ends before it starts", "swap"),
    ("for years", {"limits": '{freezes: [{name: e, reason: r, when: {once: {from: "2026-02-02T00:00:00Z", '
                             'until: "2030-02-01T00:00:00Z"}}}]}'},
     "spec.limits.freezes[0].when.once.until", "longer than a year", ""),
    ("two ways", {"limits": f"{{events: [{{name: e, floor: 4, when: {week()[:-1]}, {ONCE[1:]}}}]}}"},
     "spec.limits.events[0].when", "exactly one of weekly, dates and once", "two rules"),
    ("no way", {"limits": "{events: [{name: e, floor: 4, when: {}}]}"}, "spec.limits.events[0].when", "not none", ""),
    ("names twice", {"limits": f"{{events: [{{name: e, floor: 4, when: {ONCE}}}], "
                               f"freezes: [{{name: e, reason: r, when: {ONCE}}}]}}"},
     "spec.limits.events[0].name", "same name", "its own"),
    ("shortage unacknowledged", {"limits": f"{{freezes: [{{name: f, reason: r, growth: None, when: {ONCE}}}]}}"},
     "spec.limits.freezes[0].growth", "leaves a workload short", "acknowledge: [MayCauseShortage]"),
    ("growth typo", {"limits": f"{{freezes: [{{name: f, reason: r, growth: Observed, when: {ONCE}}}]}}"},
     "spec.limits.freezes[0].growth", "is not a choice here", "ObservedNeed"),
    ("pause of all", {"selector": "{}", "pause": '{owner: mia, reason: r, until: "2026-03-01T06:00:00Z"}'},
     "spec.pause", "a pause over every workload", "acknowledge: [SelectsAll]"),
    ("cap of all", {"selector": "{}", "limits": "{replicas: {max: 3}}"}, "spec.limits", "a max over every", ""),
    ("open-ended pause", {"pause": "{owner: m, reason: r}"}, "spec.pause.until", "either until or openEnded", "of the"),
    ("ownerless pause", {"pause": '{reason: r, until: "2026-03-01T06:00:00Z"}'}, "spec.pause.owner", "is missing", ""),
    ("one zone", {"defaults": "{surviveLossOf: {zoneOf: 1}}"}, "spec.defaults.surviveLossOf.zoneOf", "at least 2", ""),
    ("loss of nothing", {"defaults": "{surviveLossOf: {}}"}, "spec.defaults.surviveLossOf", "says nothing", ""),
    ("In without values", {"selector": "{matchExpressions: [{key: a, operator: In}]}", "defaults": '{headroom: "9%"}'},
     "spec.selector.matchExpressions[0].values", "In needs values", ""),
    ("Exists with values", {"selector": "{matchExpressions: [{key: a, operator: Exists, values: [b]}]}",
                            "defaults": '{headroom: "9%"}'},
     "spec.selector.matchExpressions[0].values", "takes no values", ""),
    ("brake over all", {"limits": '{brake: {shrink: "101%"}}'}, "spec.limits.brake.shrink",
     "is not a share of the workloads", "100%"),
    ("brake as a number", {"limits": "{brake: {shrink: 0.3}}"}, "spec.limits.brake.shrink", "must be text", ""),
    ("no budget", {"limits": "{budget: {replicas: 0}}"}, "spec.limits.budget.replicas", "at least 1", ""),
    ("priority", {"defaults": "{priority: 1001}"}, "spec.defaults.priority", "at most 1000", ""),
    ("bad name", {"selector": "{names: [shop/Web!]}", "defaults": '{headroom: "9%"}'}, "spec.selector.names[0]",
     "not a valid Kubernetes name", ""),
    ("a limit may not loosen", {"limits": "{behavior: {scaleDown: {selectPolicy: Max}}}"},
     "spec.limits.behavior.scaleDown.selectPolicy", "is not a choice here", "Disabled"),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "path", "message", "remedy"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_P01_P02_P03_a_slip_names_its_place_and_the_way_out(policy, parts, path, message, remedy) -> None:
    with pytest.raises(InvalidSpec) as refused:
        parse_text(policy(**parts), "p.yaml")
    told = [str(p) for p in refused.value.problems]
    fitting = [p for p in refused.value.problems if (not path or p.path == path) and message in p.message]
    assert fitting, told
    assert remedy in (fitting[0].remedy or ""), told
    assert fitting[0].line > 0
    assert "p.yaml:" in told[0]


def test_metadata_of_a_policy_has_no_namespace(policy) -> None:
    text = policy(defaults='{headroom: "9%"}').replace("{name: p}", "{name: p, namespace: shop}")
    with pytest.raises(InvalidSpec, match="cluster-scoped: remove the namespace"):
        parse_text(text, "p.yaml")


def test_two_policies_of_one_name_are_both_refused(policy) -> None:
    text = policy(defaults='{headroom: "9%"}')
    loaded = parse_text_valid(f"{text}---\n{text}", "p.yaml")
    assert [p.message.partition(" is also")[0] for p in loaded.problems] == ["GuardPolicy p"] * 2
    assert loaded.fleet.policies == ()


FULL = {
    "selector": "{namespaces: [shop], names: [web], sites: [x], matchLabels: {a: b}, "
    "matchExpressions: [{key: a, operator: In, values: [b]}]}",
    "defaults": '{replicas: {min: 2}, headroom: "20%", risk: "1%", maxDataAge: 2m, '
    "priority: 5, surviveLossOf: {replicas: 1, zoneOf: 3}, fallback: {after: 10m, min: 3}, "
    "behavior: {scaleUp: {stabilizationWindowSeconds: 0}, scaleDown: {selectPolicy: Min}}}",
    "limits": '{brake: {shrink: "30%"}, budget: {replicas: 9}, '
    'replicas: {min: 2, max: 9}, headroom: "5%", risk: "5%", maxDataAge: 5m, behavior: {scaleDown: '
    "{policies: [{type: Pods, value: 4, periodSeconds: 60}]}}, "
    f"schedule: [{{name: s, min: 2, max: 5, when: {week()}}}], events: [{{name: e, floor: 4, when: {ONCE}}}], "
    f"freezes: [{{name: f, reason: r, growth: Any, when: {ONCE}}}]}}",
    "pause": '{direction: Down, owner: mia, reason: r, until: "2026-03-01T06:00:00Z"}',
    "acknowledge": "[MayCauseShortage]",
}


def test_P07_every_field_of_a_policy_replaced_by_null_is_as_if_it_were_absent(policy) -> None:
    (document,) = compose(policy(**FULL), "p.yaml")
    assert document.root is not None
    tree = plain(document.root)
    assert not parse_text_valid(json.dumps(tree), "p.yaml").problems

    def paths(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            yield (*at, key)
            yield from paths(value, (*at, key))

    for path in paths(tree):
        texts = []
        for drop in (False, True):
            copy = json.loads(json.dumps(tree))
            inner = copy
            for part in path[:-1]:
                inner = inner[part]
            if drop and isinstance(inner, dict):
                del inner[path[-1]]
            else:
                inner[path[-1]] = None
            texts.append(json.dumps(copy))
        blank, gone = (parse_text_valid(text, "p.yaml") for text in texts)
        assert [p.path for p in blank.problems] == [p.path for p in gone.problems], path
        assert blank.fleet.policies == gone.fleet.policies
