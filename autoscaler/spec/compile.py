"""Valid models to the domain's values: the one place where written text gets its numbers and defaults."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autoscaler.domain.season import Exclusion
from autoscaler.domain.workload import (
    Actuation,
    Demand,
    Lead,
    LeadBasis,
    LearnedFrom,
    Pause,
    PolicyType,
    ScalingRule,
    StepPolicy,
    Target,
    Workload,
    WorkloadRef,
)
from autoscaler.spec.behavior import BehaviorSpec, StepPolicySpec
from autoscaler.spec.endpoints import proxy_of, url_of
from autoscaler.spec.kinds import (
    CalibrationSpec,
    DemandSpec,
    LeadSpec,
    MetricsSource,
    ObjectiveSpec,
    PredictiveAutoscaler,
)
from autoscaler.spec.metadata import PauseSpec
from autoscaler.spec.scalars import (
    checked_risk,
    duration_s,
    headroom_of,
    instant_of,
    quantity_of,
    risk_of,
    whole_seconds,
)
from autoscaler.spec.signals import to_signal, to_watching
from autoscaler.spec.sources import SecretKeySpec, TlsSpec
from autoscaler.spec.when import window_of

DEFAULT_RISK = "0.5%"
DEFAULT_READY_S = 180.0
"""Stated until enough starts were seen; most services are Ready within it."""
HPA_SYNC_S = 15.0
"""The default of --horizontal-pod-autoscaler-sync-period."""
HPA_SCALE_UP = (StepPolicy(PolicyType.PERCENT, 100, 15), StepPolicy(PolicyType.PODS, 4, 15))


@dataclass(frozen=True, slots=True)
class Recording:
    """A MetricsSource that is a file: the path as the process can open it, the step in seconds if it was told."""

    name: str
    path: Path
    step_s: int | None
    allowed: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A key of a Secret in the operator's own namespace."""

    name: str
    key: str

    def __str__(self) -> str:
        return f"key {self.key} of Secret {self.name}"


@dataclass(frozen=True, slots=True)
class PrometheusSource:
    """A MetricsSource that is a server with the Prometheus API. Paths are as the process can open them.

    allowed: patterns of namespaces whose workloads may name it; None = all.
    url: without a slash at its end. headers, params: pairs of name and value. replica_labels: those in which two
    copies of one series may differ; None = the usual ones.
    """

    name: str
    url: str
    timeout_s: float = 5.0
    stale_after_s: float = 120.0
    headers: tuple[tuple[str, str], ...] = ()
    bearer_token_file: Path | None = None
    basic_user: str | None = None
    basic_password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    proxy: str | None = None
    params: tuple[tuple[str, str], ...] = ()
    replica_labels: tuple[str, ...] | None = None
    allowed: tuple[str, ...] | None = None
    bearer_token_secret: SecretKey | None = None
    basic_password_secret: SecretKey | None = None
    ca_secret: SecretKey | None = None
    cert_secret: SecretKey | None = None
    key_secret: SecretKey | None = None

    @property
    def secrets(self) -> tuple[SecretKey, ...]:
        """All that it names."""
        named = (
            self.bearer_token_secret, self.basic_password_secret, self.ca_secret, self.cert_secret, self.key_secret
        )  # fmt: skip
        return tuple(s for s in named if s is not None)


Source = Recording | PrometheusSource


def to_workload(autoscaler: PredictiveAutoscaler) -> Workload:
    spec = autoscaler.spec
    return Workload(
        ref=WorkloadRef(autoscaler.metadata.namespace, autoscaler.metadata.name),
        target=Target(spec.target.api_version, spec.target.kind, spec.target.name),
        demands=tuple(_demand(d) for d in spec.demands),
        min_replicas=spec.replicas.min,
        max_replicas=spec.replicas.max,
        lead=_lead(spec.lead, spec.actuation),
        mode=spec.mode,
        actuation=spec.actuation,
        risk=_risk(spec.objective),
        headroom=headroom_of(spec.headroom),
        scale_up=_scale_up(spec.behavior, spec.actuation),
        scale_down=_scale_down(spec.behavior),
        max_data_age_s=duration_s(spec.max_data_age),
        pause=to_pause(spec.pause) if spec.pause else None,
        time_zone=spec.time_zone,
        excluded=_excluded(spec.calibration),
        signals=tuple(map(to_signal, spec.signals)),
        watching=to_watching(spec.anomalies),
    )


def acting_by(autoscaler: PredictiveAutoscaler, actuation: Actuation) -> PredictiveAutoscaler:
    """The same with another actuation, for a simulation: what only acting for real asks for is not asked again."""
    spec = autoscaler.spec.model_copy(update={"actuation": actuation})
    return autoscaler.model_copy(update={"spec": spec})


def to_source(source: MetricsSource, folder: Path) -> Source:
    """`folder` is where the source's own document lies; a relative path starts there."""
    name, file, server = source.metadata.name, source.spec.file, source.spec.prometheus
    if file is not None:
        step_s = None if file.step is None else whole_seconds(file.step)
        return Recording(name, folder / file.path, step_s, source.spec.allowed_namespaces)
    if server is None:
        raise ValueError(f"MetricsSource {name} has neither file nor prometheus")

    def placed(path: str | None) -> Path | None:
        return None if path is None else folder / path

    tls, basic = server.tls or TlsSpec(), server.basic_auth
    return PrometheusSource(
        name=name,
        url=url_of(server.url),
        timeout_s=duration_s(server.timeout),
        stale_after_s=duration_s(server.stale_after),
        headers=tuple(sorted(server.headers.items())),
        bearer_token_file=placed(server.bearer_token_file),
        basic_user=None if basic is None else basic.username,
        basic_password_file=None if basic is None else placed(basic.password_file),
        ca_file=placed(tls.ca_file),
        cert_file=placed(tls.cert_file),
        key_file=placed(tls.key_file),
        proxy=None if server.proxy is None else proxy_of(server.proxy),
        params=tuple(sorted(server.params.items())),
        replica_labels=server.replica_labels,
        allowed=source.spec.allowed_namespaces,
        bearer_token_secret=_secret(server.bearer_token_secret),
        basic_password_secret=None if basic is None else _secret(basic.password_secret),
        ca_secret=_secret(tls.ca_secret),
        cert_secret=_secret(tls.cert_secret),
        key_secret=_secret(tls.key_secret),
    )


def _secret(named: SecretKeySpec | None) -> SecretKey | None:
    return None if named is None else SecretKey(named.name, named.key)


def _demand(demand: DemandSpec) -> Demand:
    given, learned = demand.capacity.per_replica, demand.capacity.learned
    per = None if given is None else quantity_of(given)
    found = None
    if learned is not None:
        found = LearnedFrom(
            learned.resource, quantity_of(learned.limit), learned.replicas, learned.summed, learned.template
        )
    return Demand(demand.name, demand.source, demand.query, per, found)


def _excluded(calibration: CalibrationSpec | None) -> tuple[Exclusion, ...]:
    windows = () if calibration is None else calibration.exclude or ()
    return tuple(Exclusion(window_of(each.when), each.reason) for each in windows)


def _risk(objective: ObjectiveSpec) -> float:
    if objective.costs is not None:
        return checked_risk(objective.costs.replica / objective.costs.shortage)
    return risk_of(objective.risk or DEFAULT_RISK)


def _lead(lead: LeadSpec, actuation: Actuation) -> Lead:
    own_s = HPA_SYNC_S if actuation.is_floor else 0.0
    acts_s = own_s if lead.actuation is None else duration_s(lead.actuation)
    if lead.ready is None:
        return Lead(DEFAULT_READY_S, duration_s(lead.warmup), acts_s, basis=LeadBasis.DEFAULT)
    return Lead(duration_s(lead.ready), duration_s(lead.warmup), acts_s)


def _steps(policies: Iterable[StepPolicySpec]) -> tuple[StepPolicy, ...]:
    return tuple(StepPolicy(p.type, p.value, p.period_seconds) for p in policies)


def _scale_up(behavior: BehaviorSpec, actuation: Actuation) -> ScalingRule:
    rules = behavior.scale_up
    by_default = HPA_SCALE_UP if actuation is Actuation.SCALE else ()
    policies = by_default if rules.policies is None else _steps(rules.policies)
    return ScalingRule(rules.stabilization_window_seconds, policies, rules.select_policy, float(rules.tolerance))


def _scale_down(behavior: BehaviorSpec) -> ScalingRule:
    rules = behavior.scale_down
    steps = _steps(rules.policies)
    return ScalingRule(rules.stabilization_window_seconds, steps, rules.select_policy, float(rules.tolerance))


def to_pause(pause: PauseSpec) -> Pause:
    return Pause(pause.direction, pause.owner, pause.reason, instant_of(pause.until))
