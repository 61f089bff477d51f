"""The real engine in a service over recorded metrics: what it finds, what that does, and what survives a restart."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autoscaler.adapters.store.incidents import StoredIncidents
from autoscaler.bootstrap.service import Service, service
from autoscaler.bootstrap.settings import ServiceSettings
from autoscaler.domain.anomaly import Cause
from autoscaler.domain.decision import Decision
from autoscaler.domain.incident import Feedback, Label, Rule
from autoscaler.domain.notes import Condition
from autoscaler.simulator.clock import VirtualClock

pytestmark = pytest.mark.slow
STEP = timedelta(minutes=5)
DAYS = 12
BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
EVENT = BEGIN + timedelta(days=11, hours=10)
LATER = 12
"""Steps of an event."""


def metrics(change: Callable[[dict[str, np.ndarray], slice], None] | None = None) -> dict[str, np.ndarray]:
    """Twelve days of a service, and on the last of them an event of an hour."""
    rng = np.random.default_rng(7)
    n = DAYS * 288
    t = np.arange(n) / 288
    load = (300 + 200 * np.sin(2 * np.pi * (t - 0.3))) * rng.lognormal(0, 0.04, n)
    found = {
        "web": load,
        "web_p95": 0.1 * rng.lognormal(0, 0.1, n),
        "web_errors": np.abs(rng.normal(0.5, 0.2, n)),
        "web_cpu": 0.5 * load / 500 * rng.lognormal(0, 0.05, n),
    }
    if change is not None:
        at = int((EVENT - BEGIN) / STEP)
        change(found, slice(at, at + LATER))
    return found


def outage(found: dict[str, np.ndarray], at: slice) -> None:
    found["web"][at] *= 0.25
    found["web_errors"][at] = 20 + np.arange(LATER)
    found["web_p95"][at] *= 6


def stuck(found: dict[str, np.ndarray], at: slice) -> None:
    found["web"][at.start : at.stop + 36] = found["web"][at.start]


def unit(found: dict[str, np.ndarray], at: slice) -> None:
    found["web"][at] *= 1000


def attack(found: dict[str, np.ndarray], at: slice) -> None:
    found["web"][at] *= np.linspace(2, 9, LATER)


def outlier(found: dict[str, np.ndarray], at: slice) -> None:
    found["web"][at.start] *= 5


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(EVENT)


@pytest.fixture
def start(estate, source, workload, clock, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """A service over recorded metrics, whose learning is done when its first tick is."""
    running: list[Service] = []

    def started(
        found: dict[str, np.ndarray] | None = None,
        spec: dict[str, str] | None = None,
        more: str = "",
        record: str = "r.db",
        **settings: Any,
    ) -> Service:
        if found is not None:
            stamps = [(BEGIN + k * STEP).isoformat() for k in range(DAYS * 288)]
            frames = [pd.DataFrame({"ts": stamps, "series": name, "value": v}) for name, v in found.items()]
            pd.concat(frames).to_csv(estate.folder / "web.csv", index=False)
        kinds = {"web_p95": "Latency", "web_errors": "Errors", "web_cpu": "Saturation"}
        signals = [f"{{name: {n.replace('_', '-')}, source: rec, query: {n}, kind: {k}}}" for n, k in kinds.items()]
        usual = {"signals": f"[{', '.join(signals)}]", "replicas": "{min: 2, max: 2000}", "maxDataAge": "15m"}
        estate.write(source(), workload(**usual | (spec or {})), *([more] if more else []))
        made = service(
            ServiceSettings((estate.folder,), tmp_path / record, step_s=300, tick_s=300.0, **settings), clock
        )
        if made.anomalies is not None:
            made.anomalies.gate.learner.own_process = False
        running.append(made)
        return made

    yield started
    for each in running:
        each.close()


def ticked(running: Service, clock: VirtualClock, begin: datetime, steps: int) -> list[Decision]:
    found = []
    for k in range(steps):
        clock.at = begin + k * STEP + timedelta(seconds=1)
        decisions = running.tick()
        assert decisions is not None, running.last_error
        found.append(decisions[0])
    return found


def causes(decision: Decision) -> set[str]:
    words = [n.words for n in decision.notes if n.condition is Condition.ANOMALY]
    return {w.split(":")[0] for w in words if not w.startswith("incident")}


def kept(tmp_path: Path) -> list[Any]:
    return StoredIncidents(tmp_path / "r.db").listed()


def test_M26_load_that_falls_because_the_service_fails_shrinks_nothing(start, clock, tmp_path) -> None:
    running = start(metrics(outage))
    found = ticked(running, clock, EVENT - 6 * STEP, 6 + LATER)
    before, during = found[5], found[8:]
    assert all(d.granted >= before.granted * 0.95 for d in during), [d.granted for d in found]
    assert all("LatencyErrors" in causes(d) for d in during)
    one = running.anomalies.gate.open[0]
    assert (one.cause, one.rule) == (Cause.LATENCY_ERRORS, Rule.FAILING_WITH_LESS)
    assert any(one.id in n.words for n in during[-1].notes), "the record names the incident"
    registry = running.telemetry.registry
    assert registry.get_sample_value("foresail_incidents_open", {"cause": "LatencyErrors"}) == 1
    labels = {"namespace": "shop", "name": "web"}
    assert registry.get_sample_value("foresail_anomaly_severity", labels) > 0.5
    assert registry.get_sample_value("foresail_anomaly_expected", labels | {"metric": "requests", "bound": "upper"}) > 0
    running.close()
    (listed,) = kept(tmp_path)
    assert listed.incident.id == one.id
    assert {e.metric for e in listed.incident.evidence} >= {"web-errors"}


def test_D17_with_the_detector_off_scaling_works_on_and_shrinks(start, clock) -> None:
    running = start(metrics(outage), anomalies=False)
    found = ticked(running, clock, EVENT - 6 * STEP, 6 + LATER)
    assert running.anomalies is None
    assert found[-1].granted < 0.8 * found[5].granted
    assert not any(causes(d) for d in found)


def test_D17_a_detector_that_crashes_changes_nothing_and_is_told(start, clock, monkeypatch) -> None:
    running = start(metrics(outage))
    gate = running.anomalies.gate

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("the engine is broken")

    monkeypatch.setattr(type(gate), "_look", broken)
    found = ticked(running, clock, EVENT - 2 * STEP, 2 + LATER)
    assert found[-1].granted < found[1].granted
    assert running.telemetry.registry.get_sample_value("foresail_anomaly_detector_up", {"detector": "anomaly"}) == 0


def test_M24_a_frozen_sensor_holds_and_teaches_nothing(start, clock) -> None:
    running = start(metrics(stuck))
    found = ticked(running, clock, EVENT - 2 * STEP, 2 + LATER + 6)
    assert "SensorLoss" in causes(found[-1])
    assert found[-1].granted == found[-2].granted
    panel = running.pipeline.history.panel()
    at = int(EVENT.timestamp() // 300) + LATER - panel.first_step
    assert np.isnan(panel.columns(panel.first_step + at, panel.first_step + at + 1)[0, 0]), (
        "what is not believed is not learned"
    )


def test_M25_another_unit_moves_nothing(start, clock) -> None:
    running = start(metrics(unit))
    found = ticked(running, clock, EVENT - 2 * STEP, 2 + LATER)
    assert "DataFault" in causes(found[-1])
    before = found[1].granted
    assert max(d.granted for d in found) <= 1.1 * before, "not even the first sample buys replicas"
    panel = running.pipeline.history.panel()
    at = int(EVENT.timestamp() // 300) + 6 - panel.first_step
    assert np.isnan(panel.columns(panel.first_step + at, panel.first_step + at + 1)[0, 0])


def test_M25_a_restart_in_the_midst_of_another_unit_does_not_learn_it(start, clock) -> None:
    def for_long(found: dict[str, np.ndarray], at: slice) -> None:
        found["web"][at.start : at.stop + 12] *= 1000

    running = start(metrics(for_long))
    before = [d.wanted for d in ticked(running, clock, EVENT, 8)]
    running.close()
    again = start(None)
    after = ticked(again, clock, EVENT + 8 * STEP, 6)
    assert all("DataFault" in causes(d) for d in after)
    assert max(d.wanted for d in after) <= 1.5 * max(before), "the source tells again what was not believed"
    panel = again.pipeline.history.panel()
    at = int(EVENT.timestamp() // 300)
    assert not (panel.columns(at - 12, at + 13)[0] > 10_000).any()


def learned_of(running: Service, last: Decision) -> tuple[np.ndarray, np.ndarray, list[tuple[float, ...] | None]]:
    """Values and verdicts that are learned from, of the ten days before, and what was learned."""
    panel = running.pipeline.history.panel()
    end = panel.end_step
    first = end - 10 * 288
    return panel.learnable(first, end), panel.faults(first, end), [d.quantiles for d in last.demands]


def of_hours(found: dict[str, np.ndarray], at: slice) -> None:
    """Twice on the last day, and once within the history that is lived through at the start."""
    for begin in (at.start, at.start - 288 * 3, at.start + 30):
        found["web"][begin : begin + LATER] *= 1000


@pytest.mark.parametrize(
    ("change", "steps_before", "steps"),
    [(of_hours, 44, 50), (of_hours, 33, 38), (stuck, 20, 26), (attack, 7, 36)],
    ids=["after it", "in the midst", "stuck", "attack"],
)
def test_M25_after_a_restart_the_same_is_masked_and_learned_as_without(
    start, clock, change, steps_before, steps
) -> None:
    """The source is a file: it tells all of the fault again, and nobody but us has ever known better."""
    twin = '[{name: requests, source: rec, query: web, capacity: {perReplica: "10"}}, '
    twin += '{name: jobs, source: rec, query: web_jobs, capacity: {perReplica: "100"}}]'
    found = metrics(change)
    found["web_jobs"] = 0.5 * metrics()["web"]
    running = start(found, {"demands": twin}, record="whole.db")
    whole = learned_of(running, ticked(running, clock, EVENT, steps)[-1])
    running.close()
    running = start(None, {"demands": twin}, record="cut.db")
    ticked(running, clock, EVENT, steps_before)
    running.close()
    again = start(None, {"demands": twin}, record="cut.db")
    parts = learned_of(again, ticked(again, clock, EVENT + steps_before * STEP, steps - steps_before)[-1])
    at = int(EVENT.timestamp() // 300) - 12
    panel = again.pipeline.history.panel()
    lost = np.isnan(panel.learnable(at, panel.end_step)).sum(axis=1)
    assert lost[0] > 4
    np.testing.assert_array_equal(whole[1], parts[1])
    np.testing.assert_array_equal(whole[0], parts[0])
    if change is not attack:  # that is of the workload, and is learned from until it is no longer new
        assert lost[1] <= 2, "a fault of one demand is none of the other"
        assert whole[2] == parts[2]


def test_S09_a_suspected_attack_grows_to_need_and_not_by_forecast(start, clock) -> None:
    running = start(metrics(attack))
    found = ticked(running, clock, EVENT - 2 * STEP, 2 + LATER)
    last = found[-1]
    assert "SuspectedAttack" in causes(last)
    need = float(last.demands[0].observed or 0.0) / 10
    assert last.granted <= np.ceil(need) + 1, "no forecast of what it feeds"
    assert last.granted >= np.floor(need), "never below what is needed"


def test_D16_a_single_outlier_never_forces_growth(start, clock) -> None:
    running = start(metrics(outlier))
    with_gates = [d.granted for d in ticked(running, clock, EVENT - 2 * STEP, 8)]
    running.close()
    without = start(None, anomalies=False, state_every_s=None)
    without_gates = [d.granted for d in ticked(without, clock, EVENT - 2 * STEP, 8)]
    assert all(a <= b for a, b in zip(with_gates[:5], without_gates[:5], strict=True)), (with_gates, without_gates)


def test_a_restart_goes_on_with_the_open_incident(start, clock, tmp_path) -> None:
    running = start(metrics(outage))
    ticked(running, clock, EVENT - 2 * STEP, 8)
    before = running.anomalies.gate.open[0]
    running.close()
    again = start(None)
    assert "of 2026" in again.anomalies.state.restored
    found = ticked(again, clock, EVENT + 6 * STEP, 4)
    assert again.anomalies.gate.open[0].id == before.id
    assert all("LatencyErrors" in causes(d) for d in found)
    ticked(again, clock, EVENT + 10 * STEP, 60)
    assert not again.anomalies.gate.open
    again.close()
    assert [(each.incident.id, each.incident.open) for each in kept(tmp_path)] == [(before.id, False)]


def test_feedback_moves_what_is_accepted_in_bounds(start, clock, tmp_path) -> None:
    running = start(metrics(outage))
    ticked(running, clock, EVENT - 2 * STEP, 6)
    one = running.anomalies.gate.open[0]
    running.close()
    StoredIncidents(tmp_path / "r.db").say(Feedback(one.id, Label.FALSE, "a test", clock.at.timestamp()))
    again = start(None)
    assert again.anomalies.gate.accepted == {"shop/web": pytest.approx(0.7)}
    assert again.anomalies.calibration["shop/web"].words == "accepted rate × 0.70: 0 labelled real, 1 false"


def test_on_ordinary_days_decisions_are_the_same(start, clock) -> None:
    running = start(metrics())
    with_gates = [d.granted for d in ticked(running, clock, EVENT - 2 * STEP, 40)]
    running.close()
    without = start(None, anomalies=False, state_every_s=None)
    without_gates = [d.granted for d in ticked(without, clock, EVENT - 2 * STEP, 40)]
    assert with_gates == without_gates


def test_D17_a_recipe_is_heard_beside_the_ticks_and_missed_where_it_dies(start, clock, tmp_path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("kind: DetectorRecipe\ndetectors:\n- {name: pca, detector: PCA}\n", encoding="utf-8")
    running = start(metrics(outage), detectors=recipe)
    ticked(running, clock, EVENT - 6 * STEP, 1)
    gate = running.anomalies.gate
    end_s = time.monotonic() + 90
    step = 1
    while gate.engine.unheard:  # it learns beside the ticks, which go on
        assert time.monotonic() < end_s, running.health()["anomalies"]
        ticked(running, clock, EVENT - 6 * STEP, step)
        time.sleep(0.2)
    assert running.health()["anomalies"]["recipe"]["state"] == "speaks"
    found = ticked(running, clock, EVENT - 5 * STEP, 1)
    newest = gate.next_step
    while not np.isfinite(gate.voices.heard(gate.watch.watched.keys, newest, newest + 1)).any():
        assert time.monotonic() < end_s
        time.sleep(0.05)
    gate.voices._now.stop()  # as if it had died
    found = ticked(running, clock, EVENT - 4 * STEP, 4 + LATER)
    assert running.health()["anomalies"]["recipe"]["trouble"] is not None
    assert "LatencyErrors" in causes(found[-1]), "the engine's own verdicts go on"
