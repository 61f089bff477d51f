"""Several sources: each answers for itself, and none waits for another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
import pytest

from autoscaler.adapters.sources import Sources
from autoscaler.domain.series import DataVerdict, SeriesBatch
from autoscaler.domain.workload import Demand

FIRST, END, STEP_S = 1000, 1006, 60
DEADLINE_S = 1.0


@dataclass
class Scripted:
    """value: of every step. behind: steps that are not in yet. gate: closed = it hangs. down: reaches nobody."""

    value: float = 1.0
    behind: int = 0
    delay_s: float = 0.0
    down: bool = False
    error: Exception | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    asked: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        self.asked.append((first_step, end_step))
        self.gate.wait(60)
        time.sleep(self.delay_s)
        if self.error:
            raise self.error
        width = max(0, end_step - self.behind - first_step)
        raw = np.full((len(demands), width), np.nan if self.down else self.value)
        absent = DataVerdict.UNREACHABLE if self.down else DataVerdict.MISSING
        batch = SeriesBatch.judge(step_s, first_step, raw, absent)
        notes = {0: "connection refused"} if self.down else {}
        return SeriesBatch(step_s, first_step, batch.values, batch.verdicts, notes)


@pytest.fixture
def sources_of() -> Iterator[Callable[..., Sources]]:
    with ExitStack() as stack:

        def make(**readers: Scripted) -> Sources:
            for reader in readers.values():
                stack.callback(reader.gate.set)
            return stack.enter_context(Sources(readers, DEADLINE_S))

        yield make


def demand(source: str, query: str = "q") -> Demand:
    return Demand("load", source, query, 10.0)


def load(sources: Sources, *names: str, first: int = FIRST, end: int = END) -> tuple[SeriesBatch, float]:
    began = time.monotonic()
    batch = sources.load([demand(n) for n in names], first, end, STEP_S)
    return batch, time.monotonic() - began


def heard(sources: Sources) -> None:
    """Wait until no question is open any more."""
    until = time.monotonic() + 60
    while any(worker._ask is not None for worker in sources._workers.values()):
        assert time.monotonic() < until
        time.sleep(0.002)


def newest(batch: SeriesBatch) -> list[DataVerdict]:
    return [DataVerdict(int(v)) for v in batch.verdicts[:, -1]]


def test_rows_go_to_their_sources_and_come_back_in_order(sources_of):
    batch, _ = load(sources_of(a=Scripted(1.0), b=Scripted(2.0)), "b", "a", "b")
    assert batch.values[:, -1].tolist() == [2.0, 1.0, 2.0]
    assert (batch.first_step, batch.end_step) == (FIRST, END)


def test_an_unknown_source_is_refused_by_name(sources_of):
    batch, _ = load(sources_of(a=Scripted()), "a", "typo")
    assert newest(batch) == [DataVerdict.OK, DataVerdict.REFUSED]
    assert batch.notes == {1: "there is no MetricsSource typo"}


def test_no_rows_and_no_sources(sources_of):
    assert load(sources_of())[0].values.shape == (0, END - FIRST)
    assert newest(load(sources_of(), "x")[0]) == [DataVerdict.REFUSED]


def test_M02_a_hanging_source_is_waited_for_once(sources_of):
    dark = Scripted()
    sources = sources_of(a=Scripted(), dark=dark)
    dark.gate.clear()
    batch, took_s = load(sources, "a", "dark")
    assert newest(batch) == [DataVerdict.OK, DataVerdict.UNREACHABLE]
    assert "dark did not answer" in batch.notes[1]
    assert DEADLINE_S <= took_s < 50
    for step in range(1, 5):
        batch, took_s = load(sources, "a", "dark", end=END + step)
        assert newest(batch) == [DataVerdict.OK, DataVerdict.UNREACHABLE]
        assert took_s < DEADLINE_S
    assert len(dark.asked) == 1, "no second question while the first is open"
    assert sources.dark() == {"dark"}


def test_a_late_answer_is_used_at_the_next_load(sources_of):
    dark = Scripted(7.0)
    sources = sources_of(a=Scripted(), dark=dark)
    dark.gate.clear()
    load(sources, "a", "dark")
    dark.gate.set()
    heard(sources)
    dark.gate.clear()
    batch, took_s = load(sources, "a", "dark", first=FIRST + 1, end=END + 1)
    assert took_s < DEADLINE_S
    assert batch.values[1, :-1].tolist() == [7.0] * 5
    assert newest(batch) == [DataVerdict.OK, DataVerdict.UNREACHABLE], "the newest step was not in the late answer"


def test_a_source_that_is_well_again_is_waited_for_again(sources_of):
    dark = Scripted(7.0)
    sources = sources_of(a=Scripted(), dark=dark)
    dark.gate.clear()
    load(sources, "a", "dark")
    dark.gate.set()
    heard(sources)
    for _ in range(2):
        load(sources, "a", "dark")
        heard(sources)
    dark.delay_s = DEADLINE_S / 4
    batch, _ = load(sources, "a", "dark", end=END + 3)
    assert newest(batch) == [DataVerdict.OK, DataVerdict.OK]
    assert not sources.dark()


def test_a_reader_that_reaches_nobody_slowly_delays_nobody_twice(sources_of):
    down = Scripted(down=True, delay_s=DEADLINE_S / 2)
    sources = sources_of(a=Scripted(), down=down)
    batch, _ = load(sources, "a", "down")
    assert batch.notes == {1: "connection refused"}
    heard(sources)
    for _ in range(3):
        batch, took_s = load(sources, "a", "down")
        assert took_s < down.delay_s
        heard(sources)
    assert batch.notes == {1: "connection refused"}, "its own words, heard late"


def test_late_rows_that_nobody_asks_for_any_more_are_dropped(sources_of):
    dark = Scripted(7.0)
    sources = sources_of(dark=dark)
    dark.gate.clear()
    sources.load([demand("dark", "old"), demand("dark", "kept")], FIRST, END, STEP_S)
    dark.gate.set()
    heard(sources)
    dark.gate.clear()
    batch = sources.load([demand("dark", "kept"), demand("dark", "new")], FIRST, END, STEP_S)
    assert np.isnan(batch.values[1]).all()
    assert (batch.values[0] == 7.0).all()


def test_a_reader_that_raises_costs_its_own_rows(sources_of):
    batch, _ = load(sources_of(a=Scripted(), b=Scripted(error=ValueError("odd"))), "a", "b")
    assert newest(batch) == [DataVerdict.OK, DataVerdict.UNREACHABLE]
    assert batch.notes == {1: "source b failed: ValueError: odd"}


@pytest.mark.parametrize(
    ("behind", "end", "verdict"),
    [(0, END, DataVerdict.OK), (1, END - 1, DataVerdict.OK), (3, END, DataVerdict.MISSING)],
)
def test_a_source_that_is_behind(sources_of, behind, end, verdict):
    batch, _ = load(sources_of(a=Scripted(), b=Scripted(behind=behind)), "a", "b")
    assert batch.end_step == end
    assert newest(batch) == [DataVerdict.OK, verdict]
    if verdict == DataVerdict.MISSING:
        assert batch.verdicts[1].tolist() == [0] * 3 + [DataVerdict.MISSING] * 3
        assert batch.notes == {1: "source b is 180 s behind the others"}


def test_all_sources_behind_end_the_batch_early(sources_of):
    batch, _ = load(sources_of(a=Scripted(behind=2), b=Scripted(behind=2)), "a", "b")
    assert batch.end_step == END - 2
    batch, _ = load(sources_of(a=Scripted(behind=50)), "a")
    assert batch.values.shape == (1, 0)


def test_a_source_that_is_down_does_not_say_where_the_batch_ends(sources_of):
    batch, _ = load(sources_of(a=Scripted(behind=2), b=Scripted(down=True)), "a", "b")
    assert batch.end_step == END - 2
    assert newest(batch) == [DataVerdict.OK, DataVerdict.UNREACHABLE]
