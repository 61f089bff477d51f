"""Incidents as alerts: one for each, with its story; another severity is another alert, and nothing stays open."""

from dataclasses import replace

from autoscaler.bootstrap.anomaly_alerts import IncidentAlerts
from autoscaler.domain.alert import Severity
from autoscaler.domain.anomaly import Cause
from autoscaler.domain.incident import Evidence, Happening, Incident, News, Rule, Trail
from autoscaler.domain.signals import SignalKind

LINE = tuple(float(k) for k in range(400))


def incident(cause: Cause = Cause.DEMAND, rule: Rule = Rule.MORE_DEMAND, **changes: object) -> Incident:
    evidence = Evidence("shop/web", "requests @channel", SignalKind.DEMAND, 900.0, 300.0, 250.0, 350.0)
    trail = Trail("shop/web", "requests", 60, 10, LINE, LINE, LINE, LINE)
    base = Incident(
        "20260101-0000-abcdef", 60.0, 60.0, cause, rule, 0.6, ("shop/web",), 1, (evidence,), trails=(trail,)
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def news(happening: Happening, one: Incident) -> list[News]:
    return [News(happening, one)]


def test_an_incident_is_one_alert_from_its_begin_to_its_end() -> None:
    alerts = IncidentAlerts({"installation": "foresail"})
    (begun,) = alerts.of(news(Happening.OPENED, incident()), 60.0)
    assert (begun.name, begun.severity, begun.firing) == ("ForesailIncident", Severity.WARNING, True)
    assert dict(begun.labels) == {
        "incident": "20260101-0000-abcdef", "namespace": "shop", "workload": "web", "installation": "foresail"
    }  # fmt: skip
    assert begun.story is not None
    assert begun.story.command == "foresail explain shop/web"
    assert begun.story.course is not None
    assert not alerts.of(news(Happening.UPDATED, incident()), 120.0), "nothing new is nothing to tell"
    (ended,) = alerts.of(news(Happening.RESOLVED, incident(resolved_s=300.0)), 300.0)
    assert (ended.key, ended.resolved_s) == (begun.key, 300.0)
    assert alerts.standing == (ended,)
    alerts.of([], 300.0 + 1000.0)
    assert not alerts.standing


def test_one_that_becomes_worse_ends_as_what_it_was_and_begins_as_what_it_is() -> None:
    alerts = IncidentAlerts({})
    (first,) = alerts.of(news(Happening.OPENED, incident()), 60.0)
    begun, ended = alerts.of(news(Happening.UPDATED, incident(Cause.LATENCY_ERRORS, Rule.FAILING)), 120.0)
    assert (ended.key, ended.firing) == (first.key, False)
    assert (begun.severity, begun.firing, begun.incident) == (Severity.CRITICAL, True, first.incident)


def test_what_was_open_before_a_restart_stands_and_ends_under_its_name() -> None:
    before, after = IncidentAlerts({}), IncidentAlerts({})
    (begun,) = before.of(news(Happening.OPENED, incident()), 60.0)
    after.restore([incident()])
    assert [a.key for a in after.standing] == [begun.key]
    (ended,) = after.of(news(Happening.RESOLVED, incident(resolved_s=300.0)), 300.0)
    assert ended.key == begun.key


def test_of_a_fleet_no_single_workload_is_named_and_a_lost_signal_can_wait() -> None:
    alerts = IncidentAlerts({})
    several = incident(Cause.SENSOR_LOSS, Rule.SENSOR_GONE, workloads=("shop/web", "shop/api"), affected=2, gates=False)
    (one,) = alerts.of(news(Happening.OPENED, several), 60.0)
    assert one.label("scope") == "fleet"
    assert one.severity is Severity.INFO
    assert "and 1 more" in one.summary
