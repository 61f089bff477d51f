"""What holds between fields, as rules that an API server checks: beside each validator of a model, its words in CEL.

`covers` names the validators that a rule stands for; a test fails for a validator of any model that none stands for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autoscaler.spec import kinds, policy_shared, sources, when
from autoscaler.spec.behavior import Part
from autoscaler.spec.crd_text import Rule, there
from autoscaler.spec.saying import Saying


@dataclass(frozen=True, slots=True)
class Between:
    """Of one model: its rules, and what a schema itself can say. covers: its validators by name."""

    covers: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    schema: Mapping[str, Any] = field(default_factory=dict)


def text(path: str) -> str:
    """Whether a text is there; blank is absent."""
    return f"({there(path)} && self.{path}.trim() != '')"


def acknowledged(word: str, at: str = "self") -> str:
    """Whether something is accepted knowingly."""
    return f"(has({at}.acknowledge) && {at}.acknowledge.exists(a, a == '{word}'))"


_KNOWINGLY = (
    "actuation Scale needs an acknowledgement, as no HPA stays behind to react if we are wrong or absent: write "
    "acknowledge: [NoReactiveBackup], or use actuation: HpaFloor"
)
_SAME_TARGET = Rule(
    "self.kind == oldSelf.kind && self.name == oldSelf.name",
    "cannot be changed, so that no floor stays behind: delete this object, and create one for the other target",
)

AUTOSCALER: dict[type[Part], Between] = {
    kinds.PredictiveAutoscalerSpec: Between(
        ("_alone_knowingly", "_distinct_names"),
        (Rule(f"self.?actuation.orValue('') != 'Scale' || {acknowledged('NoReactiveBackup')}", _KNOWINGLY,
              ".acknowledge", ("actuation", "acknowledge")),),
    ),
    kinds.TargetSpec: Between((), (_SAME_TARGET,)),
    kinds.CapacitySpec: Between(("_some",), schema={"minProperties": 1}),
    kinds.ObjectiveSpec: Between(
        ("_one_way",),
        (
            Rule(f"!({text('risk')} && has(self.costs))", "takes either risk or costs, not both: remove one of them"),
            Rule(
                "!has(self.costs) || (self.costs.replica > 0.0 && self.costs.replica <= 0.2 * self.costs.shortage)",
                "the risk that follows, replica ÷ shortage, is above 20 %: a missing replica should cost more than a "
                "running one",
                ".costs",
            ),
        ),
    ),
    kinds.ReplicasSpec: Between(
        ("_in_order",),
        (Rule("!has(self.min) || self.min <= self.max", "min is above max: raise max or lower min"),),
    ),
}  # fmt: skip

_SOURCE_NEEDS = "needs exactly one of file and prometheus"
_LENDS = " || ".join(
    there(f"prometheus.{path}")
    for path in ("bearerTokenSecret", "basicAuth.passwordSecret", "tls.caSecret", "tls.certSecret")
)
SOURCE: dict[type[Part], Between] = {
    sources.MetricsSourceSpec: Between(
        ("_exactly_one", "_lent_to_somebody"),
        (
            Rule(
                f"has(self.allowedNamespaces) || !({_LENDS})",
                "has to be said for a source with a Secret, as who names it asks with our credentials: write "
                'allowedNamespaces: [shop, "team-a-*"], or ["*"] for all',
                ".allowedNamespaces",
                ("allowedNamespaces", "prometheus"),
            ),
            Rule("has(self.file) || has(self.prometheus)", f"{_SOURCE_NEEDS}, and has none"),
            Rule("!(has(self.file) && has(self.prometheus))", f"{_SOURCE_NEEDS}: write a MetricsSource for each"),
        ),
    ),
    sources.PrometheusSpec: Between(
        ("_checked_always", "_fits_together"),
        (
            Rule(
                f"!(has(self.basicAuth) && {text('bearerTokenFile')})",
                "takes either a bearer token or basicAuth, not both: remove one of them",
                reads=("basicAuth", "bearerTokenFile"),
            ),
            Rule(
                f"!has(self.bearerTokenSecret) || !(has(self.basicAuth) || {text('bearerTokenFile')})",
                "takes one of bearerTokenSecret, basicAuth and, in a file, bearerTokenFile: remove the others",
                reads=("basicAuth", "bearerTokenFile", "bearerTokenSecret"),
            ),
            Rule(
                "!has(self.tls) || self.url.lowerAscii().startsWith('https:')",
                "has no meaning for an http URL: write https:// in url, or remove tls",
                ".tls",
                ("tls", "url"),
            ),
        ),
    ),
    sources.BasicAuthSpec: Between(
        ("_one_password",),
        (
            Rule(
                f"{text('passwordFile')} != has(self.passwordSecret)",
                "needs exactly one of passwordSecret: {name: ..., key: ...} and, in a file, passwordFile",
            ),
        ),
    ),
    sources.TlsSpec: Between(
        ("_checked_always", "_one_place_each"),
        (
            Rule(f"{text('certFile')} == {text('keyFile')}", "certFile and keyFile go together: name both, or neither"),
            Rule("has(self.certSecret) == has(self.keySecret)",
                 "certSecret and keySecret go together: name both, or neither"),
            Rule(f"!({text('caFile')} && has(self.caSecret))", "takes either caFile or caSecret: remove one of them"),
            Rule(f"!({text('certFile')} && has(self.certSecret))",
                 "takes either certFile or certSecret: remove one of them"),
        ),
    ),
}  # fmt: skip
"""No way to leave certificates unchecked exists: what asks for one is an unknown field."""


def _moment(name: str) -> str:
    return f"timestamp(self.{name}.upperAscii())"


_NO_MOMENTS = " || ".join(f"format.datetime().validate(self.{name}).hasValue()" for name in ("from", "until"))
_SAYING = Between(("_says_something",), schema={"minProperties": 1})
_ONE_WAY = "takes exactly one of weekly, dates and once"
SHARED: dict[type[Part], Between] = {
    Saying: _SAYING,
    when._HoursSpec: Between(  # noqa: SLF001  # what both ways to write hours share
        ("_starts_in_a_day",),
        (Rule("self.?from.orValue('') != '24:00'", 'a window cannot start at "24:00": write "00:00" and the next day',
              ".from"),),
    ),
    when.OnceSpec: Between(
        ("_forward",),
        (
            Rule(f"{_NO_MOMENTS} || {_moment('from')} < {_moment('until')}",
                 "ends before it starts: swap from and until", ".until"),
            Rule(f"{_NO_MOMENTS} || {_moment('until')} - {_moment('from')} <= duration('8784h')",
                 "is longer than a year: a rule without an end belongs into replicas", ".until"),
        ),
    ),
    when.WhenSpec: Between(
        ("_no_cron", "_one_way"),
        (Rule("[has(self.weekly), has(self.dates), has(self.once)].exists_one(w, w)",
              f"{_ONE_WAY}: split it into several rules"),),
    ),
    policy_shared.TrustSpec: Between(("_something",), schema={"minProperties": 1}),
    policy_shared.BrakeSpec: Between(
        ("_something",),
        (
            Rule(f"{text('shrink')} || {text('grow')}", "says nothing: write shrink, grow or both"),
            Rule(f"!self.?mayCauseShortage.orValue(false) || {text('grow')}",
                 "means nothing without grow: write grow, or remove it", ".mayCauseShortage"),
        ),
    ),
    policy_shared.BudgetSpec: Between(
        ("_money_has_a_price",),
        schema={
            "allOf": [
                {"anyOf": [{"required": ["replicas"]}, {"required": ["perHour"]}, {"required": ["perMonth"]}]},
                {"anyOf": [
                    {"required": ["replicaPrice"]},
                    {"not": {"anyOf": [{"required": ["perHour"]}, {"required": ["perMonth"]}]}},
                ]},
                {"anyOf": [
                    {"not": {"required": ["replicaPrice"]}},
                    {"required": ["perHour"]},
                    {"required": ["perMonth"]},
                ]},
            ],
        },
    ),
}  # fmt: skip
"""Amounts are numbers or texts, which CEL cannot see: the schema says which of them go together."""
