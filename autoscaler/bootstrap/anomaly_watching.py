"""`foresail anomalies watch`: anomalies of any queries, with no autoscaling at all.

History is lived through at the start, so that the first step already has what weeks have taught; from then on each step
is looked at once. Names of incidents follow from the data, so a restart finds the same ones.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from autoscaler.adapters.pyod_recipe import recipe_names
from autoscaler.bootstrap.anomaly_absence import Absence
from autoscaler.bootstrap.anomaly_gate import WAIT_STEPS, complete_to
from autoscaler.bootstrap.anomaly_signals import SignalHistory
from autoscaler.bootstrap.anomaly_voices import Voices, of_history
from autoscaler.detection import fitting, memory
from autoscaler.detection.contract import Block
from autoscaler.detection.engine import DAY_S, DetectionEngine
from autoscaler.detection.incidents import known_as
from autoscaler.domain.errors import Refused
from autoscaler.domain.incident import Incident, News, Rule
from autoscaler.domain.series import DataVerdict, Floats, SeriesBatch
from autoscaler.domain.signals import MOST_FALSE_PAGES, SignalKind
from autoscaler.domain.verdict import Verdicts
from autoscaler.domain.workload import Demand
from autoscaler.intake.history import answer_of
from autoscaler.pipeline.detecting import Asked, Explainer, Group, Watch
from autoscaler.ports.metrics import MetricsReader

log = logging.getLogger("foresail")
SOURCE: Final = "watch"
MOST_STEPS: Final = 1440
MOST_NAME: Final = 120
EMPTY: Final = "no series; are names and labels right, and does rate() span two scrapes at least, four at best?"
KINDS: Final = {kind.value.lower(): kind for kind in SignalKind}
_FIELDS: Final = {"name", "falsePagesPerWeek", "metrics"}
_METRIC: Final = {"name", "query", "kind"}


def groups_of(path: Path, pages: float) -> tuple[Group, ...]:
    """Groups of a YAML file. pages: false pages a week where a group says nothing. Refused with the place of a slip."""
    if not 0 <= pages <= MOST_FALSE_PAGES:
        raise Refused(f"--false-pages-per-week {pages:g} is not a number from 0 to {MOST_FALSE_PAGES:g}")
    try:
        found = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as why:
        mark = getattr(why, "problem_mark", None)
        place = str(path) if mark is None else f"{path}:{mark.line + 1}"
        said = getattr(why, "problem", None) or str(why).splitlines()[0]
        raise Refused(f"{place}: cannot be read: {said}; texts with braces or colons stand in quotes") from why
    entries = found.get("groups") if isinstance(found, dict) else None
    if not isinstance(entries, list) or not entries:
        raise Refused(f"{path}: write groups: a list of name and metrics (name, query, kind)")
    groups = [_group(f"{path}: groups[{k}]", entry, pages) for k, entry in enumerate(entries)]
    names = [g.name for g in groups]
    if len(set(names)) != len(names):
        raise Refused(f"{path}: two groups have the same name; give each its own")
    return tuple(groups)


def group_of(queries: Sequence[str], pages: float) -> Group:
    """One group of NAME=QUERY or NAME:KIND=QUERY, as typed."""
    if not 0 <= pages <= MOST_FALSE_PAGES:
        raise Refused(f"--false-pages-per-week {pages:g} is not a number from 0 to {MOST_FALSE_PAGES:g}")
    asked = []
    for text in queries:
        head, equals, query = text.partition("=")
        name, _, kind = head.partition(":")
        if not equals or not name.strip() or not query.strip():
            raise Refused(f"--query {text!r}: write NAME=PROMQL, or NAME:KIND=PROMQL with a kind of {', '.join(KINDS)}")
        name = _named(f"--query {text!r}", name.strip())
        asked.append(Asked(name, SOURCE, query.strip(), _kind(f"--query {text!r}", kind or "other")))
    if len({a.name for a in asked}) != len(asked):
        raise Refused("two queries have the same name; give each its own")
    return Group("watch/queries", pages, tuple(asked))


def _group(place: str, entry: Any, pages: float) -> Group:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not entry.get("metrics"):
        raise Refused(f"{place}: a group has a name and metrics")
    if not isinstance(entry["metrics"], list):
        raise Refused(f"{place}.metrics: write a list of name, query and kind")
    _known(place, entry, _FIELDS)
    accepted = entry.get("falsePagesPerWeek", pages)
    if not isinstance(accepted, (int, float)) or not 0 <= accepted <= MOST_FALSE_PAGES:
        raise Refused(f"{place}.falsePagesPerWeek: {accepted!r} is not a number from 0 to {MOST_FALSE_PAGES:g}")
    asked = []
    for k, metric in enumerate(entry["metrics"]):
        at = f"{place}.metrics[{k}]"
        texts = isinstance(metric, dict) and all(isinstance(metric.get(f), str) for f in ("name", "query"))
        if not texts:
            raise Refused(f"{at}: a metric has a name and a query")
        _known(at, metric, _METRIC)
        asked.append(
            Asked(
                _named(f"{at}.name", metric["name"]),
                SOURCE,
                metric["query"],
                _kind(f"{at}.kind", str(metric.get("kind", "other"))),
            )
        )
    if len({a.name for a in asked}) != len(asked):
        raise Refused(f"{place}: two metrics have the same name; give each its own")
    return Group(f"watch/{_named(f'{place}.name', entry['name'])}", float(accepted), tuple(asked))


def _named(place: str, name: str) -> str:
    """It goes to terminals, messages and labels of metrics as it is."""
    if not name.strip() or not name.isprintable() or len(name) > MOST_NAME:
        raise Refused(f"{place}: a name is one line of at most {MOST_NAME} printable characters, not {name[:40]!r}")
    return name


def _known(place: str, entry: dict[str, Any], fields: set[str]) -> None:
    for name in entry:
        if name not in fields:
            raise Refused(f"{place}: unknown field {name!r}; there are {', '.join(sorted(fields))}")


def _kind(place: str, text: str) -> SignalKind:
    if text.lower() not in KINDS:
        raise Refused(f"{place}: kind {text!r} is not known; there are {', '.join(KINDS)}")
    return KINDS[text.lower()]


@dataclass(slots=True)
class Heard:
    """Implements MetricsReader, and knows whether the source has answered the newest time."""

    reader: MetricsReader
    reached: bool = True
    _newest: int = -1

    def load(self, demands: Sequence[Demand], first_step: int, end_step: int, step_s: int) -> SeriesBatch:
        batch = answer_of(self.reader, demands, first_step, end_step, step_s)
        if end_step >= self._newest:  # of the past it is asked again, which says nothing of now
            self._newest = end_step
            self.reached = not batch.verdicts.size or bool((batch.verdicts != int(DataVerdict.UNREACHABLE)).any())
        return batch


@dataclass(slots=True)
class Watcher:
    """Looks at groups of queries, step by step. reader: wide reads of one source. found: the newest verdicts.

    live: reader for single steps, which answers in a bounded time; None = as the other. recipe: of further detectors;
    folder: where those work.
    """

    reader: MetricsReader
    groups: tuple[Group, ...]
    step_s: int
    history_s: int = fitting.HISTORY_S
    live: MetricsReader | None = None
    recipe: Path | None = None
    folder: Path | None = None
    watch: Watch = field(init=False)
    found: Verdicts | None = None
    past: list[News] = field(default_factory=list)
    _history: SignalHistory = field(init=False)
    _asked: tuple[Demand, ...] = field(init=False)
    _engine: DetectionEngine = field(init=False)
    _explainer: Explainer = field(init=False)
    _heard: Heard = field(init=False)
    _absence: Absence = field(init=False)
    _voices: Voices | None = None
    _next: int = -1
    _fitted_day: int = -1

    def __post_init__(self) -> None:
        if DAY_S % self.step_s:
            raise Refused(f"--step: steps of {self.step_s} s do not make up a day; use 60s or 5m")
        self.watch = Watch.of_groups(self.groups)
        self._asked = tuple(Demand(a.name, a.source, a.query, 1.0) for g in self.groups for a in g.asked)
        keep = self.history_s // self.step_s + MOST_STEPS
        self._heard = Heard(self.reader)
        self._history = SignalHistory(self._heard, self.step_s, keep, beside=False)
        names = () if self.recipe is None else recipe_names(self.recipe)
        self._engine = DetectionEngine(self.watch.watched, self.step_s, names)
        self._absence = Absence(SOURCE, tuple(group.name for group in self.groups), self.step_s)
        self._explainer = Explainer(self.watch, self.step_s)

    def begin(self, now_step: int, recorded: Sequence[Incident] = ()) -> list[News]:
        """Live through what the source has; the news of all of it. Refused where nothing is known at all.

        recorded: incidents of earlier watches, whose ids are kept for those that are found again.
        """
        first = now_step - self.history_s // self.step_s
        values = self._history.columns(self._asked, first, now_step)
        known = np.flatnonzero(np.isfinite(values).any(axis=0))
        if not len(known):
            said = "; ".join(f"{name}: {why}" for name, why in self._reasons(self._asked, now_step).items())
            raise Refused(f"no query has a value within the history asked for; check the queries and --since ({said})")
        end = self._end(values, now_step)
        self._next, self._fitted_day = end, end * self.step_s // DAY_S
        begin = first + int(known[0])
        past = Block(self.step_s, begin, values[:, int(known[0]) : end - first])
        news: list[News] = []
        for day in self._engine.lived(replace(past, voices=self._said(past))):  # all days at once: 4 MB a row
            self.found = day
            news += self._taken(day)
        self.past = self._named(news, recorded)
        if self.live is not None:
            self._heard.reader = self.live
        return self.past

    def speak(self) -> None:
        """Have further detectors say something of the steps that come; without, they spoke of history alone."""
        if self.recipe is not None and self.folder is not None:
            self._voices = Voices(self.recipe, self.step_s, self.folder / "recipe")

    def look(self, now_step: int) -> list[News]:
        """The steps that have ended since, and are in: nobody is called lost whose sample is on its way."""
        if now_step <= self._next:
            return []
        first = max(self._next, now_step - MOST_STEPS)
        newest = self._history.columns(self._asked, now_step - WAIT_STEPS - 1, now_step)
        if not self._heard.reached:
            self._history.again(self._next)
            return self._absence.unreachable(self._next, now_step)
        end = self._end(newest, now_step)
        if end <= first:
            return []
        self._refitted(first)
        keys = self.watch.watched.keys
        said = None if self._voices is None else self._voices.heard(keys, first, end)
        block = Block(self.step_s, first, self._history.columns(self._asked, first, end), voices=said)
        self.found = self._engine.observe(block)
        self._next = end
        if self._voices is not None:
            self._voices.tell(keys, block)
        return self._taken(self.found)

    def close(self) -> None:
        if self._voices is not None:
            self._voices.close()

    @property
    def reached(self) -> bool:
        """Whether the source has answered the newest time that it was asked."""
        return self._heard.reached

    @property
    def recipe_health(self) -> dict[str, Any] | None:
        return None if self._voices is None else self._voices.health()

    def _end(self, values: Floats, now_step: int) -> int:
        """Up to where the newest steps, which `values` ends with, are in."""
        back = WAIT_STEPS + 1
        return now_step - back + complete_to(np.isfinite(values[:, max(0, values.shape[1] - back) :]))

    def _taken(self, found: Verdicts) -> list[News]:
        found, news = self._absence.judged(found)
        return [*self._explainer.take(found)[1], *news]

    def _named(self, news: list[News], recorded: Sequence[Incident]) -> list[News]:
        last = {each.incident.id: each.incident for each in news if each.incident.rule is not Rule.SOURCE_AWAY}
        names = known_as([one for one in last.values() if not one.merged_into], recorded)
        self._explainer.book.rename(names)
        return [
            replace(each, incident=replace(each.incident, id=names.get(each.incident.id, each.incident.id)))
            for each in news
        ]

    def _said(self, past: Block) -> Floats | None:
        if self.recipe is None or self.folder is None:
            return None
        return of_history(self.recipe, self.watch.watched.keys, past, self.folder / "recipe-history")

    def _refitted(self, first: int) -> None:
        """At a new day: what the engine learns, and a process of further detectors that learns, too."""
        day = first * self.step_s // DAY_S
        keys, voices = self.watch.watched.keys, self._voices
        anew = voices is not None and voices.due(keys, day)
        if day == self._fitted_day and not anew:
            return
        back = self._history.columns(self._asked, first - fitting.HISTORY_S // self.step_s, first)
        if day != self._fitted_day:
            self._fitted_day = day
            self._engine.adopt(memory.keyed(keys, fitting.fit(back, DAY_S // self.step_s)))
        if voices is not None and anew:
            voices.start(keys, Block(self.step_s, first - back.shape[1], back), lives=False)

    @property
    def open(self) -> list[Incident]:
        return [*self._explainer.book.open, *self._absence.open]

    @property
    def silent(self) -> dict[str, str]:
        """Queries of which nothing has ever come, and why, as far as the source says."""
        values = self._history.columns(self._asked, self._next - self.history_s // self.step_s, self._next)
        heard = np.isfinite(values).sum(axis=1).tolist()
        return self._reasons([a for a, known in zip(self._asked, heard, strict=True) if not known], self._next)

    def _reasons(self, asked: Sequence[Demand], now_step: int) -> dict[str, str]:
        """Of queries without values, by name."""
        if not asked:
            return {}
        notes = answer_of(self.reader, asked, now_step - 1, now_step, self.step_s).notes
        return {a.name: notes.get(row, EMPTY) for row, a in enumerate(asked)}
