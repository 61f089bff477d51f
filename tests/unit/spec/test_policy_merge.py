"""Whose word counts: defaults by the most specific selector, limits by the strictest, and who is named for it."""

from itertools import permutations

import pytest

from autoscaler.domain.anomaly import Cause
from autoscaler.domain.anomaly_rules import BY_DEFAULT, AnomalyRule, GrowthCap
from autoscaler.domain.policy import Growth
from autoscaler.domain.workload import PolicyType, ScalingRule, SelectPolicy, StepPolicy
from autoscaler.spec import parse_text
from autoscaler.spec.policy_match import Matcher


def origin(load, field: str) -> str:
    return str(dict(load.guarded.origins)[field])


def test_without_a_policy_a_workload_is_what_it_says(compiled, autoscaler, policy):
    alone = compiled(autoscaler())
    assert alone.guarded is None
    assert compiled(autoscaler(), policy(selector="{namespaces: [other]}", defaults='{headroom: "20%"}')) == alone


def test_defaults_fill_what_a_workload_does_not_say_and_never_what_it_does(compiled, autoscaler, policy):
    words = policy(defaults='{replicas: {min: 5}, headroom: "20%", risk: "2%", maxDataAge: 1m}')
    silent = compiled(autoscaler(), words)
    assert (silent.min_replicas, silent.headroom, silent.risk, silent.max_data_age_s) == (5, 1.2, 0.02, 60)
    speaking = compiled(
        autoscaler(replicas="{min: 2, max: 60}", headroom='"10%"', objective='{risk: "1%"}', maxDataAge="4m"),
        words,
    )
    assert (speaking.min_replicas, speaking.headroom, speaking.risk, speaking.max_data_age_s) == (2, 1.1, 0.01, 240)
    assert origin(silent, "headroom").startswith("GuardPolicy p@")
    assert origin(silent, "headroom").endswith("defaults.headroom (fleet.yaml:14)")
    assert origin(speaking, "headroom") == "PredictiveAutoscaler shop/web spec.headroom (fleet.yaml:8)"


BY_RANK = [
    ("named", "{names: [shop/web]}", "40%"),
    ("labelled-twice", "{matchLabels: {tier: web, team: a}}", "35%"),
    ("labelled", "{namespaces: [shop], matchLabels: {tier: web}}", "30%"),
    ("spaced", "{namespaces: [shop]}", "20%"),
    ("sited", "{sites: [berlin]}", "15%"),
    ("everyone", "{}", "10%"),
]


@pytest.mark.parametrize("first", range(len(BY_RANK)))
def test_the_most_specific_default_wins_whatever_the_order_of_the_files(compiled, autoscaler, policy, first):
    here = BY_RANK[first:]
    for order in (here, here[::-1]):
        texts = [policy(name, selector, defaults=f'{{headroom: "{value}"}}') for name, selector, value in order]
        load = compiled(autoscaler(labels="{tier: web, team: a}"), *texts, site="berlin")
        assert load.headroom == pytest.approx(1 + int(here[0][2][:-1]) / 100)


def test_defaults_are_taken_field_by_field(compiled, autoscaler, policy):
    load = compiled(
        autoscaler(behavior="{scaleDown: {stabilizationWindowSeconds: 60}}"),
        policy("a", "{names: [web]}", defaults='{headroom: "40%"}'),
        policy(
            "b",
            defaults='{headroom: "10%", behavior: {scaleDown: {selectPolicy: Min, stabilizationWindowSeconds: 900}}}',
        ),
    )
    assert load.headroom == pytest.approx(1.4)
    assert (load.scale_down.stabilization_s, load.scale_down.select) == (60, SelectPolicy.MIN)
    assert load.scale_down.policies == (StepPolicy(PolicyType.PERCENT, 10, 60),)


def test_of_equally_specific_defaults_the_first_name_wins(compiled, autoscaler, policy):
    texts = [policy(n, defaults=f'{{headroom: "{h}%"}}') for n, h in (("b", 20), ("a", 10), ("c", 30))]
    assert {compiled(autoscaler(), *order).headroom for order in permutations(texts)} == {1.1}


def test_the_strictest_limit_wins_over_the_workload_and_other_policies(compiled, autoscaler, policy):
    load = compiled(
        autoscaler(replicas="{min: 1, max: 60}", maxDataAge="4m", objective='{risk: "2%"}',
                   behavior="{scaleDown: {stabilizationWindowSeconds: 60}}"),
        policy("a", "{names: [web]}", limits='{replicas: {min: 2, max: 50}, headroom: "5%", risk: "1%"}'),
        policy("b", limits='{replicas: {min: 3, max: 55}, headroom: "10%", maxDataAge: 2m, '
                           'behavior: {scaleDown: {stabilizationWindowSeconds: 600}}}'),
        policy("c", limits='{replicas: {max: 40}, risk: "5%", maxDataAge: 3m}'),
    )  # fmt: skip
    assert (load.min_replicas, load.max_replicas) == (3, 40)
    assert (load.headroom, load.risk, load.max_data_age_s, load.scale_down.stabilization_s) == (1.1, 0.01, 120, 600)
    assert "GuardPolicy b@" in origin(load, "min")
    assert "GuardPolicy c@" in origin(load, "max")


def test_a_limit_that_is_looser_changes_nothing_and_is_not_named(compiled, autoscaler, policy):
    load = compiled(autoscaler(replicas="{min: 5, max: 20}"), policy(limits="{replicas: {min: 2, max: 40}}"))
    assert (load.min_replicas, load.max_replicas) == (5, 20)
    assert origin(load, "min") == "PredictiveAutoscaler shop/web spec.replicas.min (fleet.yaml:7)"


def test_step_limits_of_all_policies_bind_beside_the_workloads_own(compiled, autoscaler, policy):
    steps = "[{type: Pods, value: 4, periodSeconds: 60}]"
    load = compiled(
        autoscaler(),
        policy("a", limits=f"{{behavior: {{scaleUp: {{policies: {steps}}}}}}}"),
        policy("b", limits="{behavior: {scaleUp: {policies: [{type: Percent, value: 50, periodSeconds: 120}]}, "
                           "scaleDown: {selectPolicy: Disabled}}}"),
    )  # fmt: skip
    assert load.scale_up.policies == ()
    assert load.guarded is not None
    cap = load.guarded.up_cap
    assert (cap.policies, cap.select) == (
        (StepPolicy(PolicyType.PODS, 4, 60), StepPolicy(PolicyType.PERCENT, 50, 120)),
        SelectPolicy.MIN,
    )
    assert load.guarded.down_cap.select is SelectPolicy.DISABLED


def test_D01_a_minimum_above_the_maximum_keeps_the_workloads_own_and_names_both_rules(compiled, autoscaler, policy):
    load = compiled(
        autoscaler(replicas="{min: 2, max: 60}"),
        policy("a", limits="{replicas: {min: 30}}"),
        policy("b", limits="{replicas: {max: 20}}"),
    )
    assert (load.min_replicas, load.max_replicas) == (2, 60)
    assert load.guarded is not None
    assert load.guarded.clash is not None
    assert [o.owner for o in load.guarded.clash] == ["GuardPolicy a", "GuardPolicy b"]


def test_brakes_and_budgets_of_all_policies_bind_and_priority_is_a_default(compiled, autoscaler, policy):
    load = compiled(
        autoscaler(),
        policy("a", "{names: [web]}", defaults="{priority: 900}", limits="{budget: {replicas: 400}}"),
        policy("b", defaults="{priority: 10}", limits='{brake: {shrink: "30%"}, budget: {replicas: 900}}'),
    )
    guarded = load.guarded
    assert guarded is not None
    assert [(b.replicas, b.origin.owner) for b in guarded.budgets] == [
        (400, "GuardPolicy a"), (900, "GuardPolicy b")]  # fmt: skip
    assert [b.share for b in guarded.brakes] == [0.3]
    assert guarded.priority == 900
    assert origin(load, "priority").startswith("GuardPolicy a@")


def test_windows_freezes_events_and_pauses_of_all_policies_are_kept(compiled, autoscaler, policy):
    once = '{once: {from: "2026-11-27T06:00:00Z", until: "2026-11-28T06:00:00Z"}}'
    load = compiled(
        autoscaler(),
        policy("a", limits=f"{{schedule: [{{name: s, min: 4, when: {once}}}], "
                           f"events: [{{name: e, floor: 9, when: {once}}}]}}"),
        policy("b", limits=f"{{freezes: [{{name: f, reason: stocktaking, when: {once}}}]}}",
               pause='{owner: mia, reason: test, until: "2026-12-01T00:00:00Z"}'),
    )  # fmt: skip
    guarded = load.guarded
    assert guarded is not None
    assert [(w.name, w.least, w.bounded) for w in guarded.windows] == [("s", 4, False), ("e", 9, True)]
    assert [(f.name, f.reason) for f in guarded.freezes] == [("f", "stocktaking")]
    assert [p.pause.owner for p in guarded.pauses] == ["mia"]
    assert load.pause is None


SELECTORS = [
    ("{namespaces: [shop]}", True),
    ("{namespaces: [other, shop]}", True),
    ("{namespaces: [other]}", False),
    ("{names: [web]}", True),
    ("{names: [shop/web]}", True),
    ("{names: [other/web]}", False),
    ("{namespaces: [other], names: [web]}", False),
    ("{sites: [berlin]}", True),
    ("{sites: [hamburg]}", False),
    ("{matchLabels: {tier: web}}", True),
    ("{matchLabels: {tier: web, team: b}}", False),
    ("{matchExpressions: [{key: tier, operator: In, values: [web, api]}]}", True),
    ("{matchExpressions: [{key: tier, operator: NotIn, values: [web]}]}", False),
    ("{matchExpressions: [{key: absent, operator: NotIn, values: [x]}]}", True),
    ("{matchExpressions: [{key: absent, operator: In, values: [x]}]}", False),
    ("{matchExpressions: [{key: tier, operator: Exists}]}", True),
    ("{matchExpressions: [{key: tier, operator: DoesNotExist}]}", False),
    ("{matchExpressions: [{key: absent, operator: DoesNotExist}]}", True),
    ("{}", True),
]


@pytest.mark.parametrize(("selector", "fits"), SELECTORS)
def test_a_selector_fits_when_each_of_its_fields_does(autoscaler, policy, selector, fits):
    text = "---\n".join(
        (autoscaler(labels="{tier: web, team: a}"), policy(selector=selector, defaults='{headroom: "9%"}'))
    )
    fleet = parse_text(text, "f.yaml", known_sources=["rec"])
    found = Matcher(fleet.policies, "berlin").of(fleet.autoscalers[0])
    assert [p.name for p in found] == (["p"] if fits else [])


def test_without_a_site_no_site_fits(compiled, autoscaler, policy):
    text = policy(selector="{sites: [berlin]}", defaults='{headroom: "20%"}')
    assert compiled(autoscaler(), text).guarded is None
    assert compiled(autoscaler(), text, site="berlin").headroom == pytest.approx(1.2)


def test_the_revision_follows_the_content_alone(autoscaler, policy):
    def revision(text: str) -> str:
        return parse_text(text, "f.yaml").policies[0].revision

    plain = policy(defaults='{headroom: "20%"}')
    assert revision("# a comment\n" + plain) == revision(plain)
    assert revision(policy(defaults='{headroom: "21%"}')) != revision(plain)


def test_forecasts_are_believed_as_far_as_the_strictest_says_field_by_field(compiled, autoscaler, policy):
    load = compiled(
        autoscaler(),
        policy("a", limits="{forecastTrust: {maxMargin: 3, maxOverObserved: 5}}"),
        policy("b", limits="{forecastTrust: {maxOverObserved: 4}}"),
    )
    assert (load.guarded.trust.margin, load.guarded.trust.over) == (3.0, 4.0)
    assert load.guarded.trust.ratio == float("inf")
    assert origin(load, "forecastTrust.maxOverObserved").startswith("GuardPolicy b@")


def test_D12_a_stop_without_an_end_never_ends_and_a_stop_at_a_number_keeps_it(compiled, autoscaler, policy):
    endless = compiled(
        autoscaler(),
        policy("a", "{}", pause="{owner: mia, reason: fire, openEnded: true}", acknowledge="[OpenEnded, SelectsAll]"),
    )
    assert endless.guarded.paused(2e10) == (True, True)
    numbered = policy("a", pause='{owner: mia, reason: fire, at: 7, until: "2026-03-01T06:00:00Z"}')
    assert compiled(autoscaler(), numbered).guarded.pauses[0].level == 7


def test_tolerance_is_a_default_like_other_parts_of_behavior(compiled, autoscaler, policy):
    words = policy(defaults="{behavior: {scaleDown: {tolerance: 0.2}}}")
    assert compiled(autoscaler(), words).scale_down.tolerance == 0.2
    said = compiled(autoscaler(behavior="{scaleDown: {tolerance: 0.05}}"), words)
    assert said.scale_down.tolerance == 0.05


def test_a_brake_has_two_directions_and_says_whether_need_waits_too(compiled, autoscaler, policy):
    words = (
        '{brake: {shrink: "30%", grow: "40%", mayCauseShortage: true}, budget: {replicas: 9, mayCauseShortage: true}}'
    )
    load = compiled(autoscaler(), policy(limits=words, acknowledge="[MayCauseShortage]"))
    down, up = load.guarded.brakes
    assert (down.share, down.grow, down.short) == (0.3, False, False)
    assert (up.share, up.grow, up.short) == (0.4, True, True)
    assert load.guarded.budgets[0].short


def test_a_budget_of_a_month_is_kept_evenly_and_a_workload_has_its_own_price(compiled, autoscaler, policy):
    words = '{budget: {perHour: "20", perMonth: "7440", replicaPrice: "0.05"}}'
    load = compiled(autoscaler(), policy(defaults='{replicaPrice: "0.10"}', limits=words))
    (budget,) = load.guarded.budgets
    assert (budget.replicas, budget.money, budget.price, load.guarded.replica_price) == (None, 10.0, 0.05, 0.1)


def rule_of(load, cause: Cause) -> AnomalyRule:
    return dict(load.guarded.anomaly).get(cause, BY_DEFAULT[cause])


def test_what_anomalies_may_do_is_built_in_until_a_policy_says_otherwise(compiled, autoscaler, policy):
    assert compiled(autoscaler()).guarded is None
    load = compiled(autoscaler(), policy(defaults="{anomaly: {demand: {growth: Any, shrink: true}}}"))
    assert load.guarded.anomaly == ()  # the same as built in


def test_defaults_replace_a_built_in_rule_field_by_field_and_limits_bind(compiled, autoscaler, policy):
    load = compiled(
        autoscaler(),
        policy("a", "{names: [web]}", defaults="{anomaly: {dataFault: {growth: Any}}}"),
        policy("b", defaults="{anomaly: {dataFault: {growth: None, shrink: true}}}"),
    )
    assert rule_of(load, Cause.DATA_FAULT) == AnomalyRule(Growth.ANY, shrink=True)
    assert "GuardPolicy a@" in origin(load, "anomaly.dataFault.growth")
    assert "GuardPolicy b@" in origin(load, "anomaly.dataFault.shrink")
    bound = compiled(
        autoscaler(),
        policy("a", "{names: [web]}", defaults="{anomaly: {dataFault: {growth: Any, shrink: true}}}"),
        policy("z", "{}", limits="{anomaly: {dataFault: {growth: ObservedNeed, shrink: false}}}"),
        policy("x", "{}", limits="{anomaly: {dataFault: {growth: Any, shrink: true}}}"),
    )
    assert rule_of(bound, Cause.DATA_FAULT) == AnomalyRule(Growth.OBSERVED_NEED, shrink=False)
    assert "GuardPolicy z@" in origin(bound, "anomaly.dataFault.growth")


def test_M24_a_policy_that_says_none_of_wrong_data_means_none_at_all(compiled, autoscaler, policy):
    still = AnomalyRule(Growth.NONE, shrink=False)
    assert BY_DEFAULT[Cause.SENSOR_LOSS] == AnomalyRule(Growth.NONE, shrink=False, foreseen=True)
    for said in (
        {"defaults": "{anomaly: {sensorLoss: {growth: None}}}"},
        {"limits": "{anomaly: {sensorLoss: {growth: None}}}"},
        {"limits": "{anomaly: {sensorLoss: {growth: ObservedNeed}}}"},  # not by forecast, and what is observed is wrong
    ):
        load = compiled(autoscaler(), policy("a", **said))
        assert rule_of(load, Cause.SENSOR_LOSS) == still
        assert "GuardPolicy a@" in origin(load, "anomaly.sensorLoss.growth")
        assert rule_of(load, Cause.DATA_FAULT) == BY_DEFAULT[Cause.DATA_FAULT]
    loose = compiled(autoscaler(), policy("a", limits="{anomaly: {sensorLoss: {growth: Any}}}"))
    assert rule_of(loose, Cause.SENSOR_LOSS) == BY_DEFAULT[Cause.SENSOR_LOSS]


def test_every_cap_counts_with_its_own_word_about_shortage(compiled, autoscaler, policy):
    load = compiled(
        autoscaler(),
        policy("a", limits='{anomaly: {suspectedAttack: {cap: {over: "50%"}}}}'),
        policy(
            "b",
            limits="{anomaly: {suspectedAttack: {cap: {replicas: 30, mayCauseShortage: true}}}}",
            acknowledge="[MayCauseShortage]",
        ),
    )
    caps = rule_of(load, Cause.SUSPECTED_ATTACK).caps
    assert set(caps) == {GrowthCap(over=0.5), GrowthCap(most=30, short=True)}
    assert rule_of(load, Cause.SUSPECTED_ATTACK).growth is Growth.OBSERVED_NEED


def test_step_limits_that_may_cause_a_shortage_are_kept_apart_from_those_that_spare_need(compiled, autoscaler, policy):
    def limit(pods: int, word: str = "") -> str:
        return f"{{behavior: {{scaleUp: {{{word}policies: [{{type: Pods, value: {pods}, periodSeconds: 60}}]}}}}}}"

    load = compiled(
        autoscaler(),
        policy("a", limits=limit(4)),
        policy("b", limits=limit(9, "mayCauseShortage: true, "), acknowledge="[MayCauseShortage]"),
    )
    assert [p.value for p in load.guarded.up_cap.policies] == [4, 9]
    assert [p.value for p in load.guarded.up_short.policies] == [9]
    assert load.guarded.up_short.select is SelectPolicy.MIN
    spared = compiled(autoscaler(), policy("a", limits=limit(4)))
    assert spared.guarded.up_short == ScalingRule()
    forbidden = compiled(
        autoscaler(),
        policy(
            "a",
            limits="{behavior: {scaleUp: {selectPolicy: Disabled, mayCauseShortage: true}}}",
            acknowledge="[MayCauseShortage]",
        ),
    )
    assert forbidden.guarded.up_short.select is SelectPolicy.DISABLED
