"""Anomalies of recorded demand: lived through once, as a service would have, and then told to a simulation step by
step.

Causal: a verdict of a step knows that step and earlier ones, and an origin knows the steps that were in by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from autoscaler.adapters.pyod_recipe import recipe_names
from autoscaler.bootstrap.anomaly_voices import of_history
from autoscaler.detection.contract import Block
from autoscaler.detection.engine import DAY_S, DetectionEngine
from autoscaler.domain.anomaly import Anomalies
from autoscaler.domain.errors import Refused
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.incident import Incident, News
from autoscaler.domain.series import Bools, Codes, DataVerdict, Floats, Panel
from autoscaler.pipeline.detecting import Explained, Explainer, Span, Watch


@dataclass(frozen=True, slots=True, eq=False)
class RecordedAnomalies:
    """Implements ports.AnomalyDetector over one recording. learn: the panel without what teaches nothing.

    doubted: [row, step] of the panel, values that are wrong data: what was really asked for then is not known.
    data_delay_steps: newest completed steps that are not in yet.
    """

    watch: Watch
    explained: Explained
    news: tuple[News, ...]
    learn: Panel
    doubted: Bools
    data_delay_steps: int = 0

    def judge(self, panel: Panel, fleet: Fleet, first_step: int, origins: int = 1) -> Anomalies:
        """As the port says; of a panel that was not lived through there is nothing to say."""
        del panel
        steps = first_step + np.arange(origins, dtype=np.int64) - 1 - self.data_delay_steps
        return self.explained.anomalies(len(fleet), steps)

    @property
    def incidents(self) -> list[Incident]:
        """As they stand at the end, in the order in which they began; those that others took in are left out."""
        last = {each.incident.id: each.incident for each in self.news}
        return [each for each in last.values() if not each.merged_into]


def judged_recording(
    panel: Panel, fleet: Fleet, signals: Floats | None = None, *, data_delay_steps: int = 0, recipe: Path | None = None
) -> RecordedAnomalies:
    """Live through a recording. signals: [signal, step] of Watch.of(fleet).signals, on the panel's steps.

    recipe: of further detectors. Refused for a step that does not divide a day, and for a recipe that is wrong.
    """
    step_s = panel.step_s
    if DAY_S % step_s:
        raise Refused(
            f"steps of {step_s} s do not make up a day, which anomalies are looked for by; use another --step"
        )
    watch = Watch.of(fleet)
    values = watch.joined(panel.values, np.empty((0, 0)) if signals is None else signals)
    block = Block(step_s, panel.first_step, values)
    if recipe is not None:
        with TemporaryDirectory(prefix="foresail-recipe-") as scratch:
            block = replace(block, voices=of_history(recipe, watch.watched.keys, block, Path(scratch) / "history"))
    engine = DetectionEngine(watch.watched, step_s, () if recipe is None else recipe_names(recipe))
    explained, news = _explained(watch, engine, block, _codes(watch, panel))
    learn = without(panel, explained.masked())
    doubted = np.isfinite(panel.values) & ~np.isfinite(learn.values)
    return RecordedAnomalies(watch, explained, tuple(news), learn, doubted, data_delay_steps)


def _explained(watch: Watch, engine: DetectionEngine, block: Block, codes: Codes) -> tuple[Explained, list[News]]:
    """Day by day: what is told of each step is kept, its verdicts are not."""
    explainer, days, news = Explainer(watch, block.step_s), list[Explained](), list[News]()
    for found in engine.lived(block):
        at = found.first_step - block.first_step
        day, told = explainer.take(found, codes[:, at : at + found.steps])
        days.append(day)
        news += told
    parts = [part for day in days for part in day.parts]
    return Explained(watch, block.first_step, block.step_s, parts, [one for day in days for one in day.since]), news


def _codes(watch: Watch, panel: Panel) -> Codes:
    """[row, step], what intake has said of demands; signals are as they are."""
    out = np.zeros((watch.rows, panel.values.shape[1]), dtype=np.uint8)
    of_demand = watch.demand_row >= 0
    out[of_demand] = panel.verdicts[watch.demand_row[of_demand]]
    return out


def without(panel: Panel, spans: Sequence[Span]) -> Panel:
    """The panel as it may be learned from; values of a suspected attack stay, marked as lower bounds."""
    if not spans:
        return panel
    values, verdicts = panel.values.copy(), panel.verdicts.copy()
    for span in spans:
        cut = slice(max(0, span.first - panel.first_step), max(0, span.end - panel.first_step))
        known = np.isfinite(values[span.row, cut])
        verdicts[span.row, cut] = np.where(known, np.uint8(span.code), verdicts[span.row, cut])
        if span.code > DataVerdict.RECOVERING:
            values[span.row, cut] = np.nan
    return replace(panel, values=values, verdicts=verdicts)
