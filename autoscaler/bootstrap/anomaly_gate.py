"""The detector of a running service: a few milliseconds in each tick, everything that takes longer beside it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final, Protocol

import numpy as np

from autoscaler.bootstrap.anomaly_learning import Done, Learned, Learner, masks_of, part_of
from autoscaler.bootstrap.anomaly_lives import ENGINE, EXPLAINER
from autoscaler.bootstrap.anomaly_signals import first_known
from autoscaler.bootstrap.anomaly_turns import LEAST_S, LearningTurns
from autoscaler.detection import fitting
from autoscaler.detection.contract import Block
from autoscaler.detection.engine import DAY_S, DetectionEngine
from autoscaler.detection.incidents import Standing
from autoscaler.domain.anomaly import CAUSES, Anomalies, Detector
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.incident import Incident, News
from autoscaler.domain.notes import Condition, Note
from autoscaler.domain.series import Bools, DataVerdict, Floats, Ints, Panel
from autoscaler.domain.verdict import Verdicts
from autoscaler.domain.workload import Demand
from autoscaler.intake.history import History
from autoscaler.intake.taken_back import Taken, TakenBack
from autoscaler.pipeline.detecting import Explained, Explainer, Watch, anything_told

log = logging.getLogger("foresail")
WAIT_STEPS: Final = 2
"""A step is looked at when all that was there a step before is in, or so many steps later."""
MOST_STEPS: Final = 360
"""More than these are not looked at in a tick: what was missed is then lived through beside it."""
MOST_NEWS: Final = 1000
NEW_STEPS: Final = 16
"""Steps of a suspected attack so new are demand that counts; later they are a lower bound."""
DOUBTED, ATTACKED, TURNS = "doubted.", "attacked.", "turns."
"""In what is remembered: what is taken back, what will be when it is no longer new, and what was learned when."""


class SignalReader(Protocol):
    """Signals as they have come in, [signal, step], NaN where nothing has; never waits."""

    def columns(
        self, signals: tuple[Demand, ...], first_step: int, end_step: int, rows: Ints | None = None
    ) -> Floats: ...
    def begins(self, first_step: int, end_step: int) -> Ints: ...
    def missing(self) -> Mapping[Demand, str]: ...


class Further(Protocol):
    """Detectors beside the engine's own, as anomaly_voices.Voices has them; never waits, never raises."""

    @property
    def names(self) -> tuple[str, ...]: ...
    def due(self, keys: tuple[str, ...], day: int) -> bool: ...
    def start(self, keys: tuple[str, ...], history: Block, *, lives: bool) -> None: ...
    def tell(self, keys: tuple[str, ...], block: Block) -> None: ...
    def heard(self, keys: tuple[str, ...], first: int, end: int) -> Floats: ...
    def taken(self) -> Learned | None: ...
    def health(self) -> dict[str, Any]: ...
    def close(self) -> None: ...


@dataclass(slots=True)
class AnomalyGate:
    """Implements ports.AnomalyDetector. Belongs to the thread that ticks.

    history: takes back what nothing may be learned from. accepted: false pages a week by workload, where feedback moved
    them. voices: detectors beside the engine's own. news: of incidents, for whoever tells of them. found, watch: the
    newest verdicts, for metrics.
    """

    step_s: int
    learner: Learner
    signals: SignalReader | None = None
    history: History | None = None
    accepted: Mapping[str, float] = field(default_factory=dict)
    news: deque[News] = field(default_factory=lambda: deque(maxlen=MOST_NEWS))
    voices: Further | None = None
    found: Verdicts | None = None
    watch: Watch | None = None
    explainer: Explainer | None = None
    engine: DetectionEngine | None = None
    _fleet: Fleet | None = None
    _told: Mapping[str, float] = field(default_factory=dict)
    _next: int | None = None
    _last: Explained | None = None
    _attacked: TakenBack = field(default_factory=TakenBack)
    _keys: Mapping[int, str] = field(default_factory=dict)
    turns: LearningTurns = field(init=False)

    def __post_init__(self) -> None:
        self.turns = LearningTurns(self.learner, self.step_s)

    def judge(self, panel: Panel, fleet: Fleet, first_step: int, origins: int = 1) -> Anomalies:
        """As the port says, for the present: the newest verdicts hold until there are newer ones."""
        if fleet is not self._fleet or self.accepted != self._told:
            self._adopt(fleet)
        watch, explainer = self.watch, self.explainer
        if watch is None or explainer is None or not watch.rows:
            return nothing_known(len(fleet), origins)
        done = self.learner.taken()
        if done is not None:
            self._take(done, first_step)
        self._look(panel, watch, first_step)
        self._learn(panel, watch, first_step)
        self._listen(panel, watch)
        return replace(self._now(len(fleet), origins), notes=self._notes(explainer))

    def between_ticks(self, left_s: Callable[[], float]) -> None:
        """Hand on values that a job waits for. left_s: seconds until the next tick."""
        if self.history is not None and self.turns.filling:
            panel = self.history.panel()
            self.turns.work(lambda part, first, end: self._values(panel, part, first, end), left_s)

    @property
    def open(self) -> list[Incident]:
        return [] if self.explainer is None else self.explainer.book.open

    def arrays(self) -> Learned:
        """All that is remembered but incidents; empty before the first fleet."""
        if self.engine is None or self.explainer is None:
            return {}
        doubted = {} if self.history is None else self.history.taken_back.arrays()
        parts = (
            (ENGINE, self.engine.arrays()),
            (EXPLAINER, {name: array.copy() for name, array in self.explainer.arrays().items()}),
            (DOUBTED, doubted),
            (ATTACKED, self._attacked.arrays()),
            (TURNS, self.turns.arrays()),
        )
        return {prefix + name: array for prefix, arrays in parts for name, array in arrays.items()}

    def standing(self) -> tuple[Standing, ...]:
        return () if self.explainer is None else tuple(self.explainer.book.standing.values())

    def resume(self, fleet: Fleet, arrays: Learned, next_step: int, standing: tuple[Standing, ...]) -> None:
        """Go on with what another process remembered; ValueError where it does not fit, and then nothing is taken."""
        self._adopt(fleet)
        if self.engine is None or self.explainer is None or self.watch is None:
            return
        self.engine.restore(part_of(arrays, ENGINE))
        self.explainer.restore(part_of(arrays, EXPLAINER))
        self.explainer.book.adopt(self.watch.names, standing)
        self._next = next_step
        self.turns.restore(part_of(arrays, TURNS), next_step)
        self._attacked.restore(part_of(arrays, ATTACKED))
        if self.history is not None:  # before it reads anything
            self.history.taken_back.restore(part_of(arrays, DOUBTED))

    @property
    def next_step(self) -> int | None:
        return self._next

    def _adopt(self, fleet: Fleet) -> None:
        """Another fleet, or other budgets: rows that stay keep what is known of them."""
        watch = Watch.of(fleet, self.accepted)
        self._fleet, self._told = fleet, dict(self.accepted)
        old, before = self.watch, (self.engine, self.explainer)
        self.watch = watch
        self._keys = {int(row): key for row, key in zip(watch.demand_row, watch.watched.keys, strict=True) if row >= 0}
        if old is not None and before[1] is not None and _same(old, watch):
            before[1].watch = watch
            if not np.array_equal(old.demand_row, watch.demand_row):
                self.turns.adopt(watch)  # the same rows elsewhere: what waits to be copied stands elsewhere, too
            return
        if not watch.rows:
            self.engine = self.explainer = None
            return
        self.engine = DetectionEngine(watch.watched, self.step_s, () if self.voices is None else self.voices.names)
        self.explainer = Explainer(watch, self.step_s)
        self._last = None
        self.turns.adopt(watch)
        engine, explainer = before
        if engine is not None and explainer is not None:
            self.engine.restore(engine.arrays())
            self.explainer.restore(explainer.arrays())
            self.explainer.book.adopt(watch.names, list(explainer.book.standing.values()))

    def _values(self, panel: Panel, watch: Watch, first: int, end: int) -> Floats:
        """Of rows of a watch or of a part of it, in one copy."""
        out = np.full((watch.rows, end - first), np.nan)
        demands, others = np.flatnonzero(watch.demand_row >= 0), np.flatnonzero(watch.signal_row >= 0)
        if len(demands):
            out[demands] = panel.columns(first, end, watch.demand_row[demands])
        if len(others) and self.signals is not None:
            out[others] = self.signals.columns(watch.signals, first, end, watch.signal_row[others])
        return out

    def _look(self, panel: Panel, watch: Watch, step: int) -> None:
        """Take in the steps that are complete."""
        engine, explainer = self.engine, self.explainer
        if engine is None or explainer is None:
            return
        back = step - WAIT_STEPS - 1
        newest = self._values(panel, watch, back, step)
        end = back + complete_to(~np.isnan(newest))
        first = self._next
        if first is None or end - first > MOST_STEPS:
            first = max(panel.first_step, end - 1) if first is None else end - MOST_STEPS
            self.turns.missed()
        if end <= first:
            self._take_back((), step)
            return
        values = self._values(panel, watch, first, end)
        said = None if self.voices is None else self.voices.heard(watch.watched.keys, first, end)
        block = Block(self.step_s, first, values, voices=said)
        found = engine.observe(block)
        if self.voices is not None:
            self.voices.tell(watch.watched.keys, block)
        codes = np.zeros(values.shape, dtype=np.uint8)
        of_demand = watch.demand_row >= 0
        codes[of_demand] = panel.faults(first, end)[watch.demand_row[of_demand]]
        self._last, news = explainer.take(found, codes)
        self.found, self._next = found, end
        self.news.extend(news)
        told = anything_told(values, codes)
        spans = self._last.masked(told)
        self._take_back([Taken(self._keys[span.row], span.first, span.end, span.code) for span in spans], step)

    def _take_back(self, found: Iterable[Taken], step: int) -> None:
        """Of wrong data at once, of an attack when it is no longer new."""
        fleet, history = self._fleet, self.history
        if history is None:
            return
        for each in found:
            if each.code == DataVerdict.PARTIAL:
                self._attacked.add(each)
            else:
                history.take_back(each)
        late = 0 if fleet is None else int(fleet.max_data_age_s.max(initial=0) // self.step_s)
        for each in self._attacked.cut(step - max(NEW_STEPS, late // 2 + 3)):
            history.take_back(each)

    def _learn(self, panel: Panel, watch: Watch, step: int) -> None:
        """Ask for what takes longer, when there is a reason to, and hand on values for it."""
        end = self._next
        if end is not None and self.turns.due(step):
            self.turns.look(watch, self._known(panel, watch, end), step, end)
        self.turns.give(lambda part, first, to: self._values(panel, part, first, to))

    def _known(self, panel: Panel, watch: Watch, end: int) -> Ints:
        """[row], the first step that is known within what is learned from; `end` where nothing is."""
        begin = max(panel.first_step, end - fitting.HISTORY_S // self.step_s)
        out = np.full(watch.rows, end, dtype=np.int64)
        demands, others = watch.demand_row >= 0, watch.signal_row >= 0
        out[demands] = first_known(panel.values, panel.first_step, (begin, end), self.step_s)[watch.demand_row[demands]]
        if others.any() and self.signals is not None:
            out[others] = self.signals.begins(begin, end)[watch.signal_row[others]]
        return out

    def _listen(self, panel: Panel, watch: Watch) -> None:
        """Take over how high further detectors go, and have them learn anew when it is time."""
        voices, engine, end = self.voices, self.engine, self._next
        if voices is None or engine is None or end is None:
            return
        rings = voices.taken()
        if rings is not None:
            engine.hear(rings)
        if voices.due(watch.watched.keys, end * self.step_s // DAY_S):
            known = int(self._known(panel, watch, end).min())
            if (end - known) * self.step_s >= LEAST_S:
                past = Block(self.step_s, known, self._values(panel, watch, known, end))
                voices.start(watch.watched.keys, past, lives=engine.unheard > 0)

    def _take(self, done: Done, step: int) -> None:
        """What a job has learned; after a life, the steps since then are looked at again."""
        self.turns.ended(done, step)
        engine, explainer = self.engine, self.explainer
        if engine is None or explainer is None or done.failed is not None:
            return
        try:
            if not done.lives:
                engine.adopt(done.part(ENGINE))
                return
            engine.restore(done.part(ENGINE))
            engine.rewind(done.end_step)  # rows that are new since, or were left out
            explainer.restore(done.part(EXPLAINER))
            self._next = done.end_step
            self._take_back(masks_of(done), done.end_step)
        except (ValueError, KeyError) as why:  # of another version, or of rows that are gone
            log.warning("detection_not_taken_over: %s", why)

    def _now(self, lanes: int, origins: int) -> Anomalies:
        if self._last is None or self._next is None:
            return nothing_known(lanes, origins)
        return self._last.anomalies(lanes, np.full(origins, self._next - 1, dtype=np.int64))

    def _notes(self, explainer: Explainer) -> dict[int, tuple[Note, ...]]:
        """By lane: which incident it is part of, and where its baseline has moved. Words that stay while nothing is
        new.
        """
        lanes = {name: int(lane) for name, lane in zip(explainer.watch.names.groups, explainer.watch.lane, strict=True)}
        found: dict[int, tuple[Note, ...]] = {}
        for one in explainer.book.standing.values():
            if one.incident.open:
                said = f"incident {one.incident.id}: {one.incident.why}"
                for group in one.groups:
                    found[lanes[group]] = (Note(Condition.ANOMALY, said),)
        for group, words in explainer.baselines().items():
            lane = lanes[group]
            found[lane] = (*found.get(lane, ()), Note(Condition.BASELINE_MOVED, words))
        missing = {} if self.signals is None else self.signals.missing()
        for row in np.flatnonzero(explainer.watch.signal_row >= 0).tolist() if missing else ():
            signal = explainer.watch.signals[int(explainer.watch.signal_row[row])]
            if signal in missing:
                lane = int(explainer.watch.lane[explainer.watch.watched.group[row]])
                words = (
                    f"history of signal {signal.name} from source {signal.source} did not come ({missing[signal]}); it "
                    "is asked for again when it answers, and every hour: until then anomalies are judged without it"
                )
                found[lane] = (*found.get(lane, ()), Note(Condition.HISTORY_MISSING, words))
        return found


def nothing_known(lanes: int, origins: int) -> Anomalies:
    """Nothing is known to be abnormal: there is nothing to judge by yet."""
    shape = (len(CAUSES), lanes, origins)
    return Anomalies(Detector.ON, np.zeros(shape), np.full(shape, np.nan))


def _same(old: Watch, new: Watch) -> bool:
    """Whether an engine for the one serves the other: the same rows in the same order at the same budgets."""
    return (
        old.watched.keys == new.watched.keys
        and np.array_equal(old.watched.false_pages_per_week, new.watched.false_pages_per_week)
        and np.array_equal(old.metrics.kind, new.metrics.kind)
        and old.names == new.names
    )


def complete_to(known: Bools) -> int:
    """Of the newest steps [row, step], up to which every row is in that was in a step before; the first always
    counts.
    """
    for column, (before, now) in enumerate(pairwise(known.T), start=1):
        if (before & ~now).any():
            return column
    return int(known.shape[1])
