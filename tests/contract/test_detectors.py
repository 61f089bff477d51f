"""The contract of every detector, ours and pyod's, and of the engine that runs them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from autoscaler.adapters.pyod_detectors import KINDS, PyodDetector
from autoscaler.detection import voices
from autoscaler.detection.contract import Arrays, Block, Detector, Watched
from autoscaler.detection.engine import DetectionEngine
from autoscaler.detection.single import MEMBERS, Single
from autoscaler.domain.verdict import Verdicts
from autoscaler.learning.detector_scores import relived

STEP_S = 1800
DAY = 48
STEPS = 12 * DAY
FIRST = 900_017
LEARNED = 10 * DAY
FASTER = {"IForest": {"n_estimators": 10}}

MAKERS: dict[str, Callable[[], Detector]] = {
    **{name: lambda name=name: Single(name) for name in MEMBERS},  # type: ignore[misc]
    **{f"pyod {k}": lambda k=k: PyodDetector(k.lower(), k, FASTER.get(k, {})) for k in KINDS},  # type: ignore[misc]
}
BY_DETECTOR = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name.startswith("pyod") else name for name in MAKERS]
)


def _series() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(11)
    t = np.arange(STEPS)
    noisy = (200 + 150 * np.sin(2 * np.pi * t / DAY)) * rng.lognormal(0, 0.1, STEPS)
    return {
        "seasonal": noisy,
        "gappy": np.where(rng.random(STEPS) < 0.2, np.nan, noisy),
        "outage": np.where((t > STEPS - 93) & (t < STEPS - 50), np.nan, noisy),
        "spiky": np.where(rng.random(STEPS) < 0.01, 5000.0, 20.0) + rng.random(STEPS),
        "constant": np.full(STEPS, 42.0),
        "zero": np.zeros(STEPS),
        "short": np.where(t < LEARNED - 20, np.nan, noisy),
        "unknown": np.full(STEPS, np.nan),
        "far": 1e9 + rng.normal(0, 1, STEPS),
        "huge": 1e300 * rng.random(STEPS),
        "tiny": 1e-300 * rng.random(STEPS),
    }


SERIES = _series()
KEYS = tuple(SERIES)
ALL = np.stack(list(SERIES.values()))
PLAIN = [KEYS.index(k) for k in ("seasonal", "gappy", "spiky")]


@cache
def _learned(name: str) -> tuple[Detector, Arrays]:
    detector = MAKERS[name]()
    return detector, detector.fit(Block(STEP_S, FIRST, ALL[:, :LEARNED]))


def _end(name: str) -> int:
    """pyod's ECOD is asked step by step: enough of it is little."""
    return LEARNED + 24 if "ECOD" in name else STEPS


def _new(values: np.ndarray, first: int = LEARNED, end: int = STEPS) -> Block:
    return Block(STEP_S, FIRST + first, values[:, first:end])


@BY_DETECTOR
def test_scores_are_of_the_right_shape_not_negative_and_inputs_are_left_alone(name: str) -> None:
    detector, state = _learned(name)
    before = {key: array.copy() for key, array in state.items()}
    scores, after = detector.score(state, _new(ALL, end=_end(name)))
    assert scores.shape == (len(ALL), _end(name) - LEARNED)
    assert not np.isinf(scores).any()
    assert not (scores < 0).any()
    for key, array in before.items():
        np.testing.assert_array_equal(state[key], array, err_msg=key)
    assert {key: array.shape for key, array in after.items()} == {key: array.shape for key, array in before.items()}
    assert all(array.dtype != np.object_ for array in after.values())


@BY_DETECTOR
def test_what_can_be_scored_is_scored_and_what_is_not_known_is_not(name: str) -> None:
    detector, state = _learned(name)
    scores, _ = detector.score(state, _new(ALL, end=_end(name)))
    assert (~np.isnan(scores[PLAIN[0]])).mean() > 0.95
    assert np.isnan(scores[KEYS.index("unknown")]).all()
    assert np.isnan(scores[KEYS.index("short")]).all()
    assert np.isnan(scores[np.isnan(ALL[:, LEARNED : _end(name)])]).all()


@BY_DETECTOR
def test_no_look_ahead(name: str) -> None:
    detector, state = _learned(name)
    honest, _ = detector.score(state, _new(ALL, end=_end(name)))
    at = 10
    for future in (np.nan, 1e9, 0.0):
        bent = ALL.copy()
        bent[:, LEARNED + at :] = future
        found, _ = detector.score(state, _new(bent, end=_end(name)))
        np.testing.assert_allclose(found[:, :at], honest[:, :at], rtol=1e-9, atol=1e-12)


@BY_DETECTOR
def test_single_steps_and_a_restart_give_what_a_block_gives(name: str) -> None:
    detector, state = _learned(name)
    end = LEARNED + 20
    block, _ = detector.score(state, _new(ALL, end=end))
    parts = []
    for step in range(LEARNED, end):
        if step == LEARNED + 9:  # a new process knows nothing but the arrays
            detector = MAKERS[name]()
            state = {key: array.copy() for key, array in state.items()}
        found, state = detector.score(state, _new(ALL, step, step + 1))
        parts.append(found)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), block, rtol=1e-7, atol=1e-9)


@BY_DETECTOR
def test_unit_free(name: str) -> None:
    detector, state = _learned(name)
    plain, _ = detector.score(state, _new(ALL, end=_end(name)))
    other = MAKERS[name]()
    turned = ALL * 1024.0 + 3e5
    same = other.fit(Block(STEP_S, FIRST, turned[:, :LEARNED]))
    found, _ = other.score(same, _new(turned, end=_end(name)))
    np.testing.assert_allclose(found[PLAIN], plain[PLAIN], rtol=2e-3, atol=2e-3)


@BY_DETECTOR
def test_a_row_does_not_depend_on_the_others(name: str) -> None:
    detector, state = _learned(name)
    together, _ = detector.score(state, _new(ALL, end=_end(name)))
    for row in PLAIN:
        alone = MAKERS[name]()
        mine = alone.fit(Block(STEP_S, FIRST, ALL[row : row + 1, :LEARNED]))
        found, _ = alone.score(mine, _new(ALL[row : row + 1], end=_end(name)))
        np.testing.assert_allclose(found[0], together[row], rtol=1e-7, atol=1e-9)


@BY_DETECTOR
def test_refitting_forgets(name: str) -> None:
    detector = MAKERS[name]()
    first = detector.fit(Block(STEP_S, FIRST, ALL[:, :LEARNED]))
    detector.fit(Block(STEP_S, FIRST, ALL[::-1, :LEARNED].copy()))
    again = detector.fit(Block(STEP_S, FIRST, ALL[:, :LEARNED]))
    assert first.keys() == again.keys()
    for key, array in first.items():
        np.testing.assert_array_equal(again[key], array, err_msg=key)


@BY_DETECTOR
def test_a_spike_far_outside_scores_higher_than_an_ordinary_day(name: str) -> None:
    detector, state = _learned(name)
    row = KEYS.index("seasonal")
    bent = ALL.copy()
    bent[row, _end(name) - 1] = 3000.0
    found, _ = detector.score(state, _new(bent, end=_end(name)))
    assert found[row, -1] > np.nanquantile(found[row, :-1], 0.99)


@BY_DETECTOR
def test_other_rows_than_learned_are_refused(name: str) -> None:
    detector, state = _learned(name)
    with pytest.raises(ValueError, match="rows"):
        detector.score(state, _new(ALL[:2]))


def _engine(keys: tuple[str, ...] = KEYS, names: tuple[str, ...] = ()) -> DetectionEngine:
    return DetectionEngine(Watched.alone(keys, 1.0), STEP_S, names)


def _same(a: Verdicts, b: Verdicts, rtol: float = 0.0) -> None:
    for part, other in ((a.rows, b.rows), (a.groups, b.groups)):
        for name in part.__dataclass_fields__:
            np.testing.assert_allclose(getattr(part, name), getattr(other, name), rtol=rtol, err_msg=name)


@cache
def _relived() -> tuple[DetectionEngine, Verdicts]:
    engine = _engine()
    return engine, engine.relive(Block(STEP_S, FIRST, ALL[:, :LEARNED]))


def _fresh() -> DetectionEngine:
    engine = _engine()
    engine.restore(_relived()[0].arrays())
    return engine


def test_the_engine_gives_the_same_in_a_block_step_by_step_and_after_a_restart() -> None:
    block = _fresh().observe(_new(ALL))
    engine, parts = _fresh(), []
    for step in range(LEARNED, STEPS):
        if step == LEARNED + 55:
            saved = engine.arrays()
            engine = _engine()
            engine.restore(saved)
        parts.append(engine.observe(_new(ALL, step, step + 1)))
    for name in block.rows.__dataclass_fields__:
        found = np.concatenate([getattr(p.rows, name) for p in parts], axis=1)
        np.testing.assert_array_equal(found, getattr(block.rows, name), err_msg=name)
    for name in block.groups.__dataclass_fields__:
        found = np.concatenate([getattr(p.groups, name) for p in parts], axis=1)
        np.testing.assert_array_equal(found, getattr(block.groups, name), err_msg=name)


def test_the_engine_looks_at_no_later_step() -> None:
    honest = _fresh().observe(_new(ALL))
    bent = ALL.copy()
    bent[:, LEARNED + 60 :] = np.nan
    found = _fresh().observe(_new(bent))
    for name in ("surprise", "severity", "faults", "expected"):
        np.testing.assert_array_equal(getattr(found.rows, name)[:, :60], getattr(honest.rows, name)[:, :60], name)
    np.testing.assert_array_equal(found.groups.page[:, :60], honest.groups.page[:, :60])


def test_the_engine_relives_history_as_it_would_have_been_live() -> None:
    """What is said of a day does not depend on the days after it."""
    longer = _engine().relive(Block(STEP_S, FIRST, ALL[:, : LEARNED + DAY]))
    shorter = _relived()[1]
    np.testing.assert_array_equal(longer.rows.surprise[:, :LEARNED], shorter.rows.surprise)
    np.testing.assert_array_equal(longer.groups.page[:, :LEARNED], shorter.groups.page)


def test_the_engine_is_unit_free() -> None:
    plain = _engine(KEYS[:4]).relive(Block(STEP_S, FIRST, ALL[:4]))
    turned = _engine(KEYS[:4]).relive(Block(STEP_S, FIRST, ALL[:4] * 1024.0))
    np.testing.assert_allclose(turned.rows.surprise, plain.rows.surprise, rtol=2e-3, atol=2e-3)
    np.testing.assert_array_equal(turned.groups.page, plain.groups.page)
    np.testing.assert_allclose(turned.rows.expected, plain.rows.expected * 1024.0, rtol=1e-4)


def test_the_engine_matches_rows_by_key_when_the_fleet_has_changed() -> None:
    order = (KEYS[3], "new", KEYS[0])
    engine = _engine(order)
    engine.restore(_relived()[0].arrays())
    values = np.stack([SERIES[KEYS[3]], np.full(STEPS, np.nan), SERIES[KEYS[0]]])
    found = engine.observe(_new(values))
    honest = _fresh().observe(_new(ALL))
    today = DAY - (FIRST + LEARNED) % DAY  # afterwards the shape of tails is pooled over another fleet
    np.testing.assert_array_equal(found.rows.surprise[0, :today], honest.rows.surprise[3, :today])
    np.testing.assert_array_equal(found.rows.surprise[2, :today], honest.rows.surprise[0, :today])
    assert np.isnan(found.rows.surprise[1]).all()


def test_the_engine_refuses_steps_twice_and_lives_through_those_that_were_skipped() -> None:
    engine = _fresh()
    engine.observe(_new(ALL, LEARNED, LEARNED + 5))
    with pytest.raises(ValueError, match="has been seen"):
        engine.observe(_new(ALL, LEARNED + 4, LEARNED + 6))
    engine.observe(_new(ALL, LEARNED + 30, LEARNED + 60))
    holed = ALL.copy()
    holed[:, LEARNED + 5 : LEARNED + 30] = np.nan
    other = _fresh()
    other.observe(_new(holed, LEARNED, LEARNED + 30))
    mine, theirs = engine.observe(_new(ALL, LEARNED + 60)), other.observe(_new(holed, LEARNED + 30))
    np.testing.assert_array_equal(mine.rows.surprise, theirs.rows.surprise[:, 30:])


def test_the_engine_remembers_at_most_20_kB_of_a_row_at_any_step() -> None:
    for step_s in (60, 300, 3600):
        engine = DetectionEngine(Watched.alone(KEYS), step_s)
        engine.observe(Block(step_s, 0, np.zeros((len(KEYS), 3))))
        size = sum(array.nbytes for array in engine.arrays().values()) / len(KEYS)
        assert size <= 20_000, f"{size:.0f} bytes at {step_s} s"


@cache
def _said() -> np.ndarray:
    """[row, detector, step] of two further detectors over all steps, as they count."""
    whole = Block(STEP_S, FIRST, ALL[:2])
    return voices.late(np.stack([relived(Single(name), whole) for name in MEMBERS[:2]], axis=1))


def test_what_further_detectors_say_counts_in_the_page_track() -> None:
    names = ("one", "two")
    heard = _engine(KEYS[:2], names).relive(Block(STEP_S, FIRST, ALL[:2], voices=_said()))
    without = _engine(KEYS[:2]).relive(Block(STEP_S, FIRST, ALL[:2]))
    known = ~np.isnan(without.rows.surprise)
    assert known.any()
    assert (heard.rows.surprise[known] != without.rows.surprise[known]).any()


def test_d17_further_detectors_that_say_nothing_change_nothing() -> None:
    silent = _engine(KEYS[:2], ("one", "two")).relive(Block(STEP_S, FIRST, ALL[:2]))
    nonsense = np.full((2, 2, STEPS), np.nan)
    fed = _engine(KEYS[:2], ("one", "two")).relive(Block(STEP_S, FIRST, ALL[:2], voices=nonsense))
    without = _engine(KEYS[:2]).relive(Block(STEP_S, FIRST, ALL[:2]))
    for other in (silent, fed):
        _same(without, other)


def test_further_detectors_are_heard_the_same_in_a_block_in_steps_and_after_a_restart() -> None:
    """Their past is kept with the rest; another recipe's is not taken for theirs."""
    names, some = ("one", "two"), KEYS[:2]
    begun = _engine(some, names)
    begun.relive(Block(STEP_S, FIRST, ALL[:2, :LEARNED], voices=_said()[:, :, :LEARNED]))
    kept = begun.arrays()
    new = Block(STEP_S, FIRST, ALL[:2], voices=_said()).cut(FIRST + LEARNED, FIRST + STEPS)
    whole = begun.observe(new)
    engine = _engine(some, names)
    engine.restore(kept)
    parts = [engine.observe(new.cut(step, step + 1)) for step in range(new.first_step, new.end_step)]
    np.testing.assert_array_equal(np.concatenate([p.rows.surprise for p in parts], axis=1), whole.rows.surprise)
    other = _engine(some, ("one", "three"))
    other.restore(kept)
    assert other.unheard == 2
    assert _engine(some, names).unheard == 2
    np.testing.assert_array_equal(
        other.observe(new.cut(new.first_step, new.first_step + 1)).rows.faults, parts[0].rows.faults
    )


def test_how_high_further_detectors_go_is_taken_over_where_nothing_is_known() -> None:
    names, some, width = ("one", "two"), KEYS[:2], LEARNED
    lived = _engine(some, names)
    lived.relive(Block(STEP_S, FIRST, ALL[:2, :width], voices=_said()[:, :, :width]))
    quiet = _engine(some, names)
    quiet.relive(Block(STEP_S, FIRST, ALL[:2, :width]))
    quiet.hear(voices.rings(some, names, _said()[:, :, :width], FIRST, STEP_S))
    assert quiet.unheard == 0
    new = Block(STEP_S, FIRST, ALL[:2], voices=_said()).cut(FIRST + width, FIRST + width + 2)
    near, far = quiet.observe(new), _fresh_of(some).observe(Block(STEP_S, new.first_step, new.values))
    assert (near.rows.surprise != far.rows.surprise).any()
    quiet.hear(voices.rings(some, names, np.full_like(_said()[:, :, :width], 1e6), FIRST, STEP_S))
    again = lived.arrays()
    assert float(np.nanmax(quiet.arrays()[voices.RING])) <= float(np.nanmax(again[voices.RING])) * 1.5
    quiet.hear(voices.rings(some, ("other",), _said()[:, :1, :width], FIRST, STEP_S))


def _fresh_of(some: tuple[str, ...]) -> DetectionEngine:
    engine = _engine(some)
    engine.relive(Block(STEP_S, FIRST, ALL[: len(some), :LEARNED]))
    return engine


def test_a_block_with_another_number_of_voices_is_refused() -> None:
    with pytest.raises(ValueError, match="1 further detectors in a block for an engine of 2"):
        _engine(KEYS[:2], ("one", "two")).observe(Block(STEP_S, FIRST, ALL[:2, :3], voices=np.zeros((2, 1, 3))))
    with pytest.raises(ValueError, match="voices"):
        Block(STEP_S, FIRST, ALL[:2, :3], voices=np.zeros((2, 1, 4)))


def test_a_fed_forecast_takes_the_place_of_the_engines_own() -> None:
    fed = _fresh().observe(Block(STEP_S, FIRST + LEARNED, ALL[:, LEARNED:], ALL[:, LEARNED:] * 1.25))
    np.testing.assert_allclose(fed.rows.expected[0], ALL[0, LEARNED:] * 1.25, rtol=1e-6)
    own = _fresh().observe(_new(ALL))
    assert (fed.rows.surprise[0] != own.rows.surprise[0]).any()


def test_a_block_without_steps_and_a_fleet_without_rows_are_answers_too() -> None:
    engine = _engine(KEYS[:2])
    assert engine.relive(Block(STEP_S, FIRST, np.empty((2, 0)))).steps == 0
    assert engine.observe(Block(STEP_S, FIRST, ALL[:2, :3])).steps == 3
    assert engine.observe(Block(STEP_S, FIRST + 3, np.empty((2, 0)))).steps == 0
    nobody = DetectionEngine(Watched.alone(()), STEP_S)
    assert nobody.observe(Block(STEP_S, FIRST, np.empty((0, 4)))).rows.surprise.shape == (0, 4)


def test_reliving_tells_no_more_of_the_end_than_asked_for() -> None:
    whole = _relived()[1]
    engine = _engine()
    end = engine.relive(Block(STEP_S, FIRST, ALL[:, :LEARNED]), told_s=2 * DAY * STEP_S)
    assert 2 * DAY <= end.steps < 3 * DAY
    assert end.first_step + end.steps == FIRST + LEARNED
    np.testing.assert_array_equal(end.rows.surprise, whole.rows.surprise[:, -end.steps :])


def test_days_lived_one_by_one_are_what_reliving_tells_of_all() -> None:
    whole = _relived()[1]
    engine = _engine()
    days = list(engine.lived(Block(STEP_S, FIRST, ALL[:, :LEARNED])))
    assert max(day.steps for day in days) <= DAY
    assert [day.first_step for day in days[1:]] == [day.first_step + day.steps for day in days[:-1]]
    for name in ("surprise", "severity", "faults", "expected"):
        found = np.concatenate([getattr(day.rows, name) for day in days], axis=1)
        np.testing.assert_array_equal(found, getattr(whole.rows, name))
    np.testing.assert_array_equal(np.concatenate([day.groups.page for day in days], axis=1), whole.groups.page)
