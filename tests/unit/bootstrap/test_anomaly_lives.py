"""Learning from history by groups of rows: the same to the last bit as at once, and a group that fails costs itself."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest

from autoscaler.bootstrap import anomaly_lives as lives
from autoscaler.bootstrap.anomaly_learning import Done, Learner, Order, masks_of
from autoscaler.detection import fitting, memory
from autoscaler.detection.contract import Block
from autoscaler.detection.engine import DetectionEngine
from autoscaler.detection.voices import NAMES
from autoscaler.domain.series import Floats
from autoscaler.domain.signals import SignalKind
from autoscaler.pipeline.detecting import Asked, Explainer, Group, Watch

STEP_S, DAY = 900, 96
FIRST = DAY * 20_000 + 7
DAYS = 4
KINDS = (SignalKind.DEMAND, SignalKind.ERRORS)


def watch(groups: int = 6) -> Watch:
    """Workloads of one or two metrics, whose first is one of a fleet's demands."""
    made = Watch.of_groups(
        [
            Group(f"web{k}", 1.0, tuple(Asked(f"m{n}", "main", f"q{k}{n}", KINDS[n]) for n in range(1 + k % 2)))
            for k in range(groups)
        ]
    )
    return replace(made, demand_row=np.where(made.metrics.kind == made.metrics.kind[0], np.arange(made.rows), -1))


def values(rows: int) -> Floats:
    """Days with events, holes, a stuck row, one that begins late, and two that say the same for a while."""
    rng = np.random.default_rng(5)
    n = DAYS * DAY
    out = 100 * (1.5 + np.sin(2 * np.pi * np.arange(n) / DAY + rng.uniform(0, 1, (rows, 1)))) + rng.normal(
        0, 5, (rows, n)
    )
    for row in range(rows):
        at = int(rng.integers(n // 2, n - 60))
        out[row, at : at + 12] *= 6.0
        out[row, at // 2 : at // 2 + 5] = np.nan
    out[1, -40:] = out[1, -40]
    out[2, : n // 2] = np.nan
    out[rows - 1, -60:] = out[0, -60:]
    return out


def at_once(some: Watch, past: Floats) -> dict[str, np.ndarray]:
    """By the engine's own way through a history, with incidents kept beside, as a watch of files does."""
    engine, explainer = DetectionEngine(some.watched, STEP_S), Explainer(some, STEP_S)
    explained, _ = explainer.take(engine.relive(Block(STEP_S, FIRST, past)))
    found = {lives.ENGINE + name: array for name, array in engine.arrays().items() if name != NAMES}
    found |= {lives.EXPLAINER + name: array for name, array in explainer.arrays().items()}
    keys = {int(row): key for row, key in zip(some.demand_row, some.watched.keys, strict=True)}
    spans = sorted((keys[s.row].encode(), s.first, s.end, s.code) for s in explained.masked(np.isfinite(past)))
    return found | {"spans": np.array(spans)}


def by_groups(some: Watch, past: Floats, left_out: lives.LeftOut, end_s: float = float("inf")) -> dict[str, np.ndarray]:
    times = lives.Times(STEP_S, FIRST, past.shape[1], end_s)
    found = lives.joined(lives.lived(some, times, lives.of_array(past), left_out))
    keys, spans = found.pop("mask.key", np.array([], dtype=bytes)), found.pop("mask.span", np.empty((0, 3)))
    both = sorted((key, *span) for key, span in zip(keys.tolist(), spans.tolist(), strict=True))
    return found | {"spans": np.array(both)}


def test_history_is_learned_from_by_groups_to_the_last_bit_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    some = watch()
    past = values(some.rows)
    whole = at_once(some, past)
    assert len(whole["spans"])
    for rows in (3, 1000):
        monkeypatch.setattr(lives, "LIVED_TOGETHER", rows * DAY)
        monkeypatch.setattr(lives, "HASHED_TOGETHER", 50)
        assert len(some.parts(rows)) == {3: 3, 1000: 1}[rows]
        found = by_groups(some, past, lives.LeftOut())
        assert found.keys() == whole.keys()
        for name, array in whole.items():
            assert same(array, found[name]), name


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """To the last bit, but for a NaN's sign."""
    if one.dtype != other.dtype or one.dtype.kind == "S":
        return one.tobytes() == other.tobytes()
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def test_a_group_that_fails_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    some = watch()
    past = values(some.rows)
    monkeypatch.setattr(lives, "LIVED_TOGETHER", 3 * DAY)
    monkeypatch.setattr(lives, "fitting", _failing(where=lambda given: np.isclose(given[0, 0], past[3, 0])))
    left_out = lives.LeftOut()
    found = by_groups(some, past, left_out)
    assert left_out == lives.LeftOut(3, ["LinAlgError: no convergence"])
    assert len(found["engine.key"]) == some.rows - 3
    assert np.isfinite(found["engine.table"][:3]).any()


def _failing(where: Callable[[Floats], bool]) -> object:
    class Fits:
        HISTORY_S = fitting.HISTORY_S

        @staticmethod
        def fit(given: Floats, day: int, before: object) -> object:
            if where(given):
                raise np.linalg.LinAlgError("no convergence")
            return fitting.fit(given, day, before)  # type: ignore[arg-type]

    return Fits


def test_groups_for_which_time_does_not_suffice_are_left_out_the_last_ones_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    some = watch()
    past = values(some.rows)
    monkeypatch.setattr(lives, "LIVED_TOGETHER", 3 * DAY)
    left_out = lives.LeftOut()
    found = by_groups(some, past, left_out, end_s=monotonic())
    assert [bytes(key) for key in found["engine.key"]] == [key.encode() for key in some.watched.keys[:3]]
    assert left_out.rows == some.rows - 3
    assert "its time does not suffice" in left_out.words[0]


def test_where_no_group_learns_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    some = watch(2)
    monkeypatch.setattr(lives, "fitting", _failing(where=lambda _: True))
    with pytest.raises(np.linalg.LinAlgError, match="no convergence"):
        by_groups(some, values(some.rows), lives.LeftOut())


def test_a_file_of_values_is_read_by_parts(tmp_path: Path) -> None:
    past = values(5)
    np.save(tmp_path / "values.npy", past)
    read = lives.StoredValues(tmp_path / "values.npy")
    assert (read.rows, read.steps) == past.shape
    assert np.array_equal(read(slice(1, 4), 10, 300), past[1:4, 10:300], equal_nan=True)
    np.save(tmp_path / "values.npy", past.astype(np.float32))
    with pytest.raises(ValueError, match="float32"):
        lives.StoredValues(tmp_path / "values.npy")


@pytest.mark.slow
def test_its_process_hands_back_files_of_groups(tmp_path: Path) -> None:
    some = watch(3)
    past = values(some.rows)
    done = _done(Learner(tmp_path / "job"), some, past, lives=True)
    whole = at_once(some, past)
    assert done.end_step == FIRST + past.shape[1]
    assert all(same(array, done.arrays[name]) for name, array in whole.items() if name != "spans")
    assert len(masks_of(done)) == len(whole["spans"])
    assert not (tmp_path / "job").exists()
    again = _done(Learner(tmp_path / "job"), some, past, lives=False)
    fitted = memory.keyed(some.watched.keys, fitting.fit(past, DAY))
    assert all(same(array, again.part(lives.ENGINE)[name]) for name, array in fitted.items())


@pytest.mark.slow
def test_a_limit_of_memory_is_told_and_nothing_is_handed_over(tmp_path: Path) -> None:
    some = watch(3)
    learner = Learner(tmp_path / "job", memory_bytes=64 * 1024**2)
    _handed(learner, some, values(some.rows), lives=True)
    done = _waited(learner)
    assert done is not None
    assert not done.arrays
    assert "64 MiB" in str(done.failed)
    assert learner.trouble == done.failed
    learner.memory_bytes = 1024**3
    _handed(learner, some, values(some.rows), lives=False)
    done = _waited(learner)
    assert done is not None
    assert done.arrays
    assert "64 MiB" in str(learner.trouble)  # that a refit succeeds teaches no history


def _done(learner: Learner, some: Watch, past: Floats, *, lives: bool) -> Done:
    _handed(learner, some, past, lives=lives)
    done = _waited(learner)
    assert learner.trouble is None
    assert done is not None
    return done


def _handed(learner: Learner, some: Watch, past: Floats, *, lives: bool) -> None:
    """Begun, and given its values two rows at a time."""
    assert learner.begin(Order(some, STEP_S, FIRST, past.shape[1], lives))
    for at in range(0, len(past), 2):
        while not learner.wants:
            sleep(0.01)
        learner.add(past[at : at + 2])


def _waited(learner: Learner) -> Done | None:
    """What is done, once the learner has cleared up behind itself."""
    done = None
    while learner.busy:
        done = learner.taken() or done
        sleep(0.02)
    return done


def test_rows_that_are_further_go_on_from_where_the_others_are() -> None:
    """A life took a while: rows that it left out have seen the steps since, and see them again."""
    some = watch(2)
    past = values(some.rows)
    engine = DetectionEngine(some.watched, STEP_S)
    engine.observe(Block(STEP_S, FIRST, past[:, :200]))
    early = {name: array.copy() for name, array in engine.arrays().items()}
    engine.observe(Block(STEP_S, FIRST + 200, past[:, 200:205]))
    engine.restore({name: array[:1] for name, array in early.items()})
    engine.rewind(FIRST + 200)
    assert set(engine.remembered["next"].tolist()) == {FIRST + 200}
    kept, before = engine.remembered["past"], early["past"]
    assert np.array_equal(kept[0], before[0], equal_nan=True)
    assert np.array_equal(kept[1:, 5:], before[1:, 5:], equal_nan=True)
    assert engine.observe(Block(STEP_S, FIRST + 200, past[:, 200:205])).steps == 5
