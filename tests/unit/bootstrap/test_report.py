"""What fills a report: which days are shown, settings that can be applied as they are, names, limits."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from autoscaler.bootstrap.report.naming import TITLES, knob_words
from autoscaler.bootstrap.report.rival import RivalName
from autoscaler.bootstrap.report.settings import SOURCE, Named, object_name, settings_yaml
from autoscaler.bootstrap.report.spans import usual_week, worst_day
from autoscaler.bootstrap.simulate import typed_workload
from autoscaler.domain.errors import Refused
from autoscaler.domain.workload import Actuation, Mode, PolicyType, ScalingRule, StepPolicy, Workload
from autoscaler.simulator.comparison import Tuning
from autoscaler.simulator.figures import Served
from autoscaler.simulator.rivals.catalogue import rivals
from autoscaler.spec.reader import parse_text

MONDAY = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp()) // 3600


def served(levels: list[float], *, start: int = MONDAY, warm: int = 0) -> Served:
    """Days of 24 steps of an hour, each at one level of demand; ten replicas serve 100."""
    demand = np.repeat(np.array(levels, dtype=np.float64), 24)
    ten = np.full(len(demand), 10, dtype=np.int64)
    return Served(3600, start, start + warm, 10.0, demand, ten, ten)


def test_the_worst_day_is_the_one_with_most_short_steps_of_either():
    ours = served([50, 50, 50, 50])
    rival = replace(ours, ready=ours.ready.copy())
    ours.demand[24 * 2 + 5 : 24 * 2 + 8] = 130.0
    rival.ready[24 + 3 : 24 + 12] = 1
    part = worst_day(ours, replace(rival, demand=ours.demand), ("Foresail", "HPA"))
    assert (part.first, part.end) == (24, 48)
    assert part.why == "Most minutes short of either: Foresail 0, HPA 540."


def test_without_a_shortage_the_worst_day_has_the_highest_scored_peak():
    ours = served([99, 10, 20, 10], warm=24)
    part = worst_day(ours, ours, ("a", "b"))
    assert (part.first, part.end) == (48, 72)  # the first day is warm-up
    assert part.why.startswith("Neither was ever short")


def test_a_record_that_begins_within_a_day_has_days_of_the_calendar():
    ours = served([10, 90, 10], start=MONDAY + 7)
    part = worst_day(ours, ours, ("a", "b"))
    assert (MONDAY + 7 + part.first) % 24 == 0


def test_the_usual_week_is_the_median_and_begins_on_monday():
    levels = [5.0] * 3 + [10.0] * 7 + [90.0] * 7 + [30.0] * 7 + [5.0] * 2
    part = usual_week(served(levels, start=MONDAY - 72))
    assert (part.first, part.end) == (24 * 17, 24 * 24)
    assert "median of 3" in part.why


def test_weeks_that_were_hardly_observed_do_not_count():
    ours = served([10.0] * 7 + [90.0] * 7 + [30.0] * 7)
    ours.demand[24 * 14 : 24 * 21 - 20] = np.nan
    assert usual_week(ours).first == 0  # of two the lower one


def test_less_than_a_week_is_shown_whole_and_said():
    part = usual_week(served([10.0] * 4, warm=24))
    assert (part.title, part.first, part.end) == ("All that was scored", 24, 96)
    assert "3.0 days" in part.why


def compiled(text: str) -> Workload:
    (load,) = parse_text(text, "settings", known_sources=(SOURCE, "mine")).compile()
    return load


@pytest.mark.parametrize("actuation", [Actuation.SCALE, Actuation.HPA_FLOOR])
@pytest.mark.parametrize("name", ["web", "<script>alert(1)</script>", "Ä ö", "a: b # c", "x" * 300])
def test_the_settings_are_a_valid_autoscaler_that_means_what_was_simulated(actuation, name):
    load = typed_workload(12.345678901, lead_s=95.5, risk=0.0012, actuation=actuation, least=3)
    text = settings_yaml(load, name=name, query=None, named=Named.NOT, most_granted=41)
    made = compiled(text)
    assert made.mode is Mode.ADVISE
    assert made.actuation is actuation
    assert made.demands[0].capacity_per_replica == pytest.approx(load.demands[0].capacity_per_replica, rel=1e-5)
    assert made.risk == pytest.approx(load.risk)
    assert (made.lead.ready_s, made.min_replicas, made.max_replicas) == (95.5, 3, 62)
    assert (made.scale_up, made.scale_down) == (load.scale_up, load.scale_down)


def test_what_the_user_wrote_stays():
    load = replace(
        typed_workload(8, lead_s=60, risk=0.01, actuation=Actuation.HPA_FLOOR, most=40),
        headroom=1.25,
        scale_down=ScalingRule(600, (StepPolicy(PolicyType.PODS, 2, 30),)),
        scale_up=ScalingRule(60, ()),
    )
    load = replace(load, demands=(replace(load.demands[0], source="mine", query='sum(x{y="z"} % 3)'),))
    made = compiled(settings_yaml(load, name="other", query=None, named=Named.FILE, most_granted=9))
    assert made == replace(load, lead=made.lead)


@pytest.mark.parametrize("capacity", [1e-9, 0.25, 45, 3.2e9, 4e14])
def test_any_capacity_can_be_written(capacity):
    load = typed_workload(capacity, lead_s=60, risk=0.01, actuation=Actuation.HPA_FLOOR)
    made = compiled(settings_yaml(load, name="web", query="sum(x)", named=Named.NOT, most_granted=9))
    assert made.demands[0].capacity_per_replica == pytest.approx(capacity)
    assert made.demands[0].query == "sum(x)"


def test_names_of_objects_are_what_kubernetes_accepts():
    names = [object_name(name) for name in ("Web_Requests", "--", "a.b/c", "é")]
    assert names == ["web-requests", "workload", "a-b-c", "workload"]


def test_every_method_has_a_title_and_words_for_its_knob():
    assert {r.name for r in rivals()} | {"foresail"} == set(TITLES)
    assert knob_words("static", 12.0) == "12 replicas"
    assert knob_words("foresail", 0.005) == "risk 0.5 %"
    assert knob_words("hpa-300s", 0.58) == "target 58 %"


def test_a_rival_is_named_with_its_tuning():
    assert RivalName.of("as-set") == RivalName("as-set")
    assert RivalName.of("keda-cron:causal") == RivalName("keda-cron", Tuning.CAUSAL)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("keda-crn", "did you mean keda-cron\\?"),
        ("", "There are: as-set, retuned, hpa-300s"),
        ("as-set:default", "may stand :default"),
        ("static:best", "may stand :default, :hindsight or :causal"),
    ],
)
def test_an_unknown_rival_is_refused_with_the_names(text, words):
    with pytest.raises(Refused, match=words):
        RivalName.of(text)
