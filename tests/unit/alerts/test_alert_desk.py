"""The desk over restarts and changes of leader: nothing ends by being forgotten, nothing stale is told. F06, A09."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from autoscaler.adapters.alert_metrics import AlertMetrics
from autoscaler.adapters.alerting.courier import Courier
from autoscaler.bootstrap.alert_book import AlertBook
from autoscaler.bootstrap.alerts import AlertDesk, Beside
from autoscaler.domain.ladder import STANDING, Rung, Why
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.workload import Actuation, Mode
from autoscaler.ports.alerts import Delivery, Outcome

T0 = 1_800_000_000.0


class Told:
    """A destination in memory."""

    name, repeat_s, most_at_once = "x", None, 100

    def __init__(self) -> None:
        self.taken: list[str] = []

    def send(self, alerts: Any, now_s: float) -> Delivery:
        self.taken += [f"{a.name}{'+' if a.firing else '-'}" for a in alerts if a.name != "ForesailWatchdog"]
        return Delivery(Outcome.DELIVERED)

    def close(self) -> None:
        pass


class Tried:
    """A desk on a record, ticked by hand with decisions of the test."""

    def __init__(self, outbox: Any, leads: bool = True) -> None:
        self.leads, self.told, self.registry = leads, Told(), CollectorRegistry()
        metrics = AlertMetrics(self.registry)
        courier = Courier(outbox, [self.told], metrics, lambda: T0, pause_s=0.01)
        self.desk = AlertDesk(AlertBook(), courier, metrics, outbox, lambda: self.leads, real=True)
        self.desk.begin(T0)

    def look(self, decisions: Any, after_s: float) -> None:
        self.desk.look(replace(decisions, now_s=T0 + after_s), Beside())
        assert self.desk.courier.flush(60)

    def until(self, taken: list[str]) -> None:
        end = time.monotonic() + 60
        while self.told.taken != taken and time.monotonic() < end:
            time.sleep(0.01)
        assert self.told.taken == taken

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def tried(outbox_at: Any) -> Any:
    made: list[Tried] = []

    def start(**more: Any) -> Tried:
        made.append(Tried(outbox_at(), **more))
        return made[-1]

    yield start
    for one in made:
        one.desk.close()


def standing(make: Any, *whys: Why) -> Any:
    decisions = make.decisions(make.fleet(*[f"w{k}" for k in range(len(whys))]))
    places = np.zeros(len(whys), dtype=STANDING)
    places["rung"], places["why"] = Rung.WEEK, [int(why) for why in whys]
    return replace(decisions, seen=replace(decisions.seen, standing=places))


def fought_over(make: Any) -> Any:
    return make.decisions(make.fleet()).noted({0: (Note(Condition.CONFLICT, "argo has set it"),)})


def test_F06_a_demotion_goes_on_over_a_restart_and_ends_when_the_forecast_serves_again(make, tried):
    first = tried()
    first.look(standing(make, Why.QUALIFIED), 0)
    first.look(standing(make, Why.BASELINE), 15)
    first.until(["ForesailForecastDemoted+"])
    first.desk.close()
    second = tried()
    second.look(make.decisions(make.fleet("w0")), 60)  # nothing is compared yet
    for k in range(20):
        second.look(standing(make, Why.UNCOMPARED if k < 5 else Why.BASELINE), 75 + 15 * k)
    assert second.value("foresail_alerts_open", alertname="ForesailForecastDemoted", severity="warning") == 1
    second.look(standing(make, Why.QUALIFIED), 600)
    second.look(standing(make, Why.QUALIFIED), 720)
    second.until(["ForesailForecastDemoted-"])


def test_F06_a_summary_of_demotions_goes_on_over_a_restart(make, tried):
    first = tried()
    first.look(standing(make, *[Why.QUALIFIED] * 30), 0)
    first.look(standing(make, *[Why.BASELINE] * 30), 15)
    first.until(["ForesailForecastDemoted+"])
    first.desk.close()
    second = tried()
    for k in range(5):
        second.look(standing(make, *[Why.BASELINE] * 30), 60 + 15 * k)
    assert second.value("foresail_alerts_open", alertname="ForesailForecastDemoted", severity="warning") == 1
    second.look(standing(make, *[Why.QUALIFIED] * 30), 600)
    second.look(standing(make, *[Why.QUALIFIED] * 30), 720)
    second.until(["ForesailForecastDemoted-"])


def test_a_standby_tells_nothing_and_tells_all_that_stands_when_it_leads(make, tried):
    one = tried(leads=False)
    for k in range(40):
        one.look(fought_over(make), 15 * k)
    assert one.told.taken == []
    assert one.value("foresail_alerts_open", alertname="ForesailConflict", severity="warning") == 1
    assert one.value("foresail_notifications_last_success_timestamp_seconds", destination="x") is None
    one.leads = True
    one.look(fought_over(make), 615)
    one.until(["ForesailConflict+"])
    assert one.value("foresail_notifications_last_success_timestamp_seconds", destination="x") == T0
    one.leads = False
    for k in range(100):
        one.look(make.decisions(make.fleet()), 630 + 15 * k)
    one.until(["ForesailConflict+"])
    assert one.value("foresail_notifications_last_success_timestamp_seconds", destination="x") is None


def test_what_waited_from_an_earlier_term_is_not_told_when_it_leads_again(make, tried, outbox_at):
    """Its begin waited when the process died; meanwhile another led and told the end."""
    outbox = outbox_at()
    book = AlertBook()
    from autoscaler.domain.alert_sightings import sightings

    for k in range(40):
        begun = book.look(sightings(fought_over(make)), T0 - 10_000 + 15 * k)
        if begun:
            outbox.put(begun, ["x"], T0 - 10_000)
    assert outbox.lengths == {"x": 1}
    one = tried(leads=False)
    for k in range(200):
        one.look(make.decisions(make.fleet()), 15 * k)
    one.leads = True
    one.look(make.decisions(make.fleet()), 3015)
    assert one.desk.courier.flush(60)
    time.sleep(0.3)
    assert one.told.taken == []
    assert [(a.name, a.firing) for a in one.desk.outbox.recorded() if a.name != "ForesailWatchdog"] == [
        ("ForesailConflict", False)
    ]


def test_floors_that_are_held_are_counted_and_one_that_cannot_be_read_still_is(make, tried):
    one = tried()
    lanes = make.fleet("a", "b", actuation=Actuation.HPA_FLOOR, mode=Mode.ACT)
    decisions = make.decisions(lanes)
    three, own = np.array([3, 3]), np.array([2, 3])
    status = replace(decisions.status, floor=three, own_floor=own)
    one.look(replace(decisions, status=status), 0)
    assert one.value("foresail_floors_raised") == 1
    blind = replace(status, known=np.array([False, False]), floor=np.array([0, 0]))
    one.look(replace(decisions, status=blind), 15)
    assert one.value("foresail_floors_raised") == 1
    back = replace(status, floor=own)
    one.look(replace(decisions, status=back), 30)
    assert one.value("foresail_floors_raised") == 0
