"""What serves each row: all forecasters, calibrated on absolute anchors and averaged by recent loss.

An expert is a forecaster with one calibration: over all steps alike, or by minute of the hour. A forecaster that fails
is quarantined and the others serve. A row too new for a calibration is begun by a model that was learned elsewhere,
which fades out as its own errors come in (pretrained_start.py).

Everything learned is a pure function of the history before an anchor, and anchors are absolute steps
(staggered by the row's own identity), so that a block of origins and single ticks agree, a restart changes
nothing, and no tick pays for refitting the whole fleet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.forecast import LEVELS, PeakForecast
from autoscaler.domain.ladder import STANDING
from autoscaler.domain.season import steps_within
from autoscaler.domain.series import Bools, Floats, Ints, Panel
from autoscaler.forecasting.asking import ask_point, ask_quantiles
from autoscaler.forecasting.catalogue import HOURLY, SEASONAL
from autoscaler.forecasting.contract import PeakForecaster, QuantileForecaster
from autoscaler.forecasting.learned import NEVER, Experts, Learned, learn
from autoscaler.forecasting.local_seasons import by_season, reach_steps
from autoscaler.forecasting.past import Asked, Past, Samples, phases_of
from autoscaler.forecasting.pretrained_start import beginners, global_share, with_own
from autoscaler.forecasting.qualification import not_learned, silent, with_start
from autoscaler.forecasting.teams import CalibrationPlan, Rows, Team, anchored, stretches, teams_of
from autoscaler.forecasting.turns import AT_ONCE, Turns, pieces

__all__ = ["CalibrationPlan", "PeakServer", "Rows"]

HALF = 0.5
ASKED_AT_ONCE = 256
"""Rows: their week in double precision takes 24 MB at steps of a minute."""

Answer = tuple[Floats, Ints, NDArray[Any]]
"""Quantiles [row, origin, level], the model that weighs most and the place on the ladder, both [row, origin]."""


@dataclass(slots=True)
class PeakServer:
    """Serves quantiles of the peak for all rows; keeps what each row learned until its next anchor.

    quarantined: model name → why, for models that in the newest call, or in the fits that it used, raised or
    answered with the wrong shape or values; what they could not say is served by the others. hourly: names of models
    that are calibrated by minute of the hour too. start: what serves a row in its first hours and fades over its first
    day; it may be put in or replaced between calls. turns: who learns within a call, and who waits.
    """

    models: tuple[PeakForecaster, ...]
    plan: CalibrationPlan = field(default_factory=CalibrationPlan)
    levels: tuple[float, ...] = LEVELS
    hourly: tuple[str, ...] = HOURLY
    start: QuantileForecaster | None = None
    turns: Turns = field(default_factory=Turns)
    quarantined: dict[str, str] = field(default_factory=dict)
    _learned: dict[tuple[int, int], tuple[tuple[str, ...], Learned]] = field(default_factory=dict)
    _teams: tuple[tuple[object, ...], tuple[Team, ...]] | None = None

    def history_steps(self, step_s: int, lead: int) -> int:
        """Steps of history that make a difference to a forecast."""
        calibrated = self.plan.window_s // step_s + self.plan.period_steps(step_s) + self._deepest(step_s) + lead + 1
        return max(calibrated, 0 if self.start is None else self.start.history_steps(step_s))

    def forecast(self, panel: Panel, rows: Rows, origins: Ints) -> PeakForecast:
        """Quantiles of the peak over u - delay … u - delay + lead at each origin u.

        panel: history of the rows; only steps before u - delay are used. origins: absolute steps, consecutive.
        """
        shape = (len(rows.keys), len(origins))
        quantiles = np.full((*shape, len(self.levels)), np.nan)
        model = np.full(shape, -1, dtype=np.int64)
        standing = np.empty(shape, dtype=STANDING)
        self.quarantined = {}
        self.turns.begin(first=not self._learned)
        used = set()
        experts = self._experts(panel.step_s)
        for team in self._grouped(panel.step_s, rows):
            one = _OfTeam(self, panel, team, experts, self._kept(team, experts))
            used.add((team.lead, team.delay))
            # single ticks are served all at once; over a block each few rows stay in a core's cache
            for part in team.parts(len(team.keys) if len(origins) == 1 else AT_ONCE):
                where = team.rows[part]
                quantiles[where], model[where], standing[where] = one.block(part, origins - team.delay)
        self._forget(panel.step_s, int(origins[0]), used)
        return PeakForecast(self.levels, quantiles, model >= 0, model, self._names(), standing)

    def relearn(self, keys: Collection[str] | None = None) -> None:
        """Calibrate rows again when their turn comes, None = all: older history has come in since."""
        for names, learned in self._learned.values():
            if keys is None:
                learned.stale[:] = True
            else:
                learned.stale[[at for at, key in enumerate(names) if key in keys]] = True

    def _names(self) -> tuple[str, ...]:
        """What `model` of a forecast points into."""
        return (*(m.name for m in self.models), *(() if self.start is None else (self.start.name,)))

    def _deepest(self, step_s: int) -> int:
        return max((m.history_steps(step_s) for m in self.models), default=0) + reach_steps(step_s)

    def _experts(self, step_s: int) -> Experts:
        phases, each = phases_of(step_s), []
        for m, model in enumerate(self.models):
            each.append((m, 1))
            if phases > 1 and model.name in self.hourly:
                each.append((m, phases))
        return Experts(tuple(m.name for m in self.models), tuple(each), self.levels, self._deepest(step_s))

    def _grouped(self, step_s: int, rows: Rows) -> tuple[Team, ...]:
        risks = None if rows.risks is None else rows.risks.tobytes()
        seasons = None if rows.seasons is None else tuple(rows.seasons)
        identity = (step_s, tuple(rows.keys), rows.leads.tobytes(), rows.delays.tobytes(), risks, seasons)
        if self._teams is None or self._teams[0] != identity:
            self._teams = (identity, teams_of(step_s, rows, self.plan))
        return self._teams[1]

    def _kept(self, team: Team, experts: Experts) -> Learned:
        """What the team's rows have learned so far; rows that were in it before keep theirs, and those that come from
        another lead or delay are served by what they learned there until their turn.
        """
        at = (team.lead, team.delay)
        kept = self._learned.get(at)
        if kept is not None and (kept[0] is team.keys or kept[0] == team.keys):
            return kept[1]
        fresh = Learned.nothing(len(team.keys), experts)
        for other, theirs in self._learned.items():
            if other != at:
                _take_over(fresh, team.keys, theirs)
        fresh.stale[:] = fresh.main != NEVER
        if kept is not None:
            _take_over(fresh, team.keys, kept)
            fresh.faults.update(kept[1].faults)
        self._learned[at] = (team.keys, fresh)
        return fresh

    def _forget(self, step_s: int, origin: int, used: Collection[tuple[int, int]]) -> None:
        """Drop leads and delays that nobody has asked for since; a delay that comes and goes keeps its own."""
        before = origin - 2 * self.plan.period_steps(step_s)
        self._learned = {
            at: (keys, learned)
            for at, (keys, learned) in self._learned.items()
            if len(keys) and (at in used or learned.anchor.max() >= before)
        }


def _take_over(fresh: Learned, keys: tuple[str, ...], kept: tuple[tuple[str, ...], Learned]) -> None:
    """Into the rows `keys` of fresh what is kept of the same keys; nothing where a key does not name one row."""
    place = {key: at for at, key in enumerate(kept[0])}
    if len(place) == len(kept[0]):
        old = np.array([place.get(key, -1) for key in keys], dtype=np.int64)
        stays = np.flatnonzero(old >= 0)
        fresh.put(stays, kept[1].of(old[stays]), turn=True)


@dataclass(frozen=True, slots=True)
class _OfTeam:
    """One team's turn in a call."""

    server: PeakServer
    panel: Panel
    team: Team
    experts: Experts
    learned: Learned

    def block(self, part: slice, origins: Ints) -> Answer:
        """Of some members, at origins that are the first steps that are not known."""
        server, step_s = self.server, self.panel.step_s
        refit = _Refit(self, part, int(origins[0]), int(origins[-1]))
        if len(origins) == 1:
            late = np.flatnonzero(refit.late(np.arange(part.start, part.stop), origins[0])) + part.start
            since = np.where(self.learned.young[late], NEVER, self.learned.anchor[late])
            server.turns.take(late, since, lambda members: refit(members, origins[0]))
        points = self._points(part, origins)
        if len(origins) == 1:
            return self._serve(part, points, origins)
        shape = (part.stop - part.start, len(origins))
        found = np.empty((*shape, len(server.levels))), np.empty(shape, dtype=np.int64), np.empty(shape, dtype=STANDING)
        turns, alikes = server.plan.period_steps(step_s), [*self.team.alike(part)]
        cut = [(alike, [*stretches(anchored(origins, turns, int(self.team.phases[alike.start])))]) for alike in alikes]
        for turn in range(max(len(stretch) for _, stretch in cut)):
            # all that have so many turns learn at once, each at its own anchor
            there = [(alike, stretch[turn]) for alike, stretch in cut if turn < len(stretch)]
            members = np.concatenate([np.arange(alike.start, alike.stop) for alike, _ in there])
            refit(members, np.concatenate([np.full(a.stop - a.start, origins[low]) for a, (low, _) in there]))
            for alike, (low, high) in there:
                mine = slice(alike.start - part.start, alike.stop - part.start)
                for begin, end in self._cuts(alike, origins[low:high]):
                    refit(np.arange(alike.start, alike.stop), origins[low + begin])
                    here = slice(low + begin, low + end)
                    said = [None if p is None else p[mine, here] for p in points]
                    for whole, some in zip(found, self._serve(alike, said, origins[here]), strict=True):
                        whole[mine, here] = some
        return found

    def _points(self, part: slice, origins: Ints) -> list[Floats | None]:
        """Of each model; None of one that failed for any row. A week of thousands of rows is not copied at once."""
        first, end = int(origins[0]) - self.experts.deepest, int(origins[-1])
        said = []
        for begin in range(part.start, max(part.stop, part.start + 1), ASKED_AT_ONCE):
            some = slice(begin, min(begin + ASKED_AT_ONCE, part.stop))
            view = self._view(some, first, end)
            said.append(
                [ask_point(m, view, origins, self.team.lead, self.server.quarantined) for m in self._models(some)]
            )
        return [None if any(a is None for a in each) else np.concatenate(each) for each in zip(*said, strict=True)]

    def _cuts(self, alike: slice, origins: Ints) -> list[tuple[int, int]]:
        """Of one turn's origins, where some of the members are too young to learn at the turns alone."""
        if not self.learned.young[alike].any():
            return [(0, len(origins))]
        between = self.server.plan.refit_steps(self.panel.step_s)
        return [*stretches(anchored(origins, between, int(self.team.phases[alike.start])))]

    def _view(self, members: Ints | slice, first: int, end: int) -> Panel:
        values = self.panel.learnable(first, end, self.team.rows[members])
        for row, season in enumerate(self.team.seasons_of(members) or ()):
            if season is not None and season.excluded:
                values[row, steps_within(season.excluded, first, end, self.panel.step_s)] = np.nan
        values.setflags(write=False)
        return Panel(self.panel.step_s, first, values, np.empty((0, 0), dtype=np.uint8))

    def _models(self, members: Ints | slice) -> tuple[PeakForecaster, ...]:
        """As they are asked about these members."""
        seasons, models = self.team.seasons_of(members), self.server.models
        return models if seasons is None else by_season(models, SEASONAL, seasons)

    def asked(self, members: Ints | slice) -> Asked:
        """Who is asked about the past of these members."""
        server, step_s = self.server, self.panel.step_s
        dense = tuple(phases_of(step_s) > 1 and m.name in server.hourly for m in server.models)
        zones = tuple(None if s is None else s.zone for s in self.team.seasons_of(members) or ())
        return Asked(self._models(members), dense, self.stride, zones)

    def past(self, members: Ints | slice, first: int, end: int) -> Past:
        """Of the steps [first, end), before anybody is asked."""
        view = self._view(members, first - self.experts.deepest, end)
        return Past.untold(view, (first, end), self.team.lead, self.stride)

    @property
    def stride(self) -> int:
        return max(1, self.server.plan.sample_s // self.panel.step_s)

    def _serve(self, part: slice, points: list[Floats | None], origins: Ints) -> Answer:
        learned, step_s = self.learned.of(part), self.panel.step_s
        for phase in learned.faults.keys() & set(self.team.phases[part].tolist()) if learned.faults else ():
            self.server.quarantined |= learned.faults[phase]
        quantiles, by = learned.quantiles(points, origins, self.experts)
        begun = self._begin(part, learned.own_s, origins, (quantiles, by))
        never, next_s = learned.anchor == NEVER, float((int(origins[0]) + 1) * step_s)
        anchor_s = np.where(never, origins[0], learned.anchor) * float(step_s)
        own = not_learned(learned.standing, never | learned.stale, next_s)
        since_s = self._since_s(part, begun.any(axis=1) & ~never, anchor_s, int(origins[-1]))
        lifted = with_start(own, since_s, anchor_s, float(self.server.plan.refit_s))
        lifted = not_learned(lifted, never | learned.stale, next_s)
        quiet = silent(own)
        standing = np.where(begun, lifted[:, None], np.where(by < 0, quiet[:, None], own[:, None]))
        return quantiles, by, standing

    def _since_s(self, part: slice, begun: Bools, anchor_s: Floats, end: int) -> Floats:
        """[row], epoch from which own demand counts: as much before the refit as was known at it; where that was
        nothing, the first known step since. begun: [row], that the start serves, and that have had a refit.
        """
        own_s, step_s = self.learned.own_s[part], self.panel.step_s
        since_s = anchor_s - own_s
        which = np.flatnonzero(begun & (own_s == 0))
        if len(which):
            first = int(anchor_s[which].min()) // step_s
            known = ~np.isnan(self._view(np.arange(part.start, part.stop)[which], first, end).values)
            since_s[which] = np.where(known.any(axis=1), (first + known.argmax(axis=1)) * float(step_s), since_s[which])
        return since_s

    def _begin(self, part: slice, own_s: Floats, origins: Ints, own: tuple[Floats, Ints]) -> Bools:
        """Mix the start into what the rows' own experts say (`own`: quantiles and model, changed in place).

        [row, origin], whether it had a share.
        """
        quantiles, by = own
        server, start = self.server, self.server.start
        begun = np.zeros(by.shape, dtype=np.bool_)
        which = np.flatnonzero(beginners(own_s))
        if start is None or not len(which):
            return begun
        first = int(origins[0]) - start.history_steps(self.panel.step_s)
        view = self._view(np.arange(part.start, part.stop)[which], first, int(origins[-1]))
        learned = ask_quantiles(start, view, origins, (self.team.lead, server.levels), server.quarantined)
        if learned is None:
            return begun
        alone, said = by[which] < 0, np.isfinite(learned).all(axis=2)
        quantiles[which] = with_own(quantiles[which], learned, own_s[which])
        mostly = alone | (global_share(own_s[which]) >= HALF)[:, None]
        by[which] = np.where(said & mostly, len(server.models), by[which])
        begun[which] = said
        return begun


@dataclass(slots=True)
class _Refit:
    """Brings members of a part to what they must have learned at an origin. One past serves all anchors of a block."""

    of: _OfTeam
    part: slice
    origin: int
    last: int
    _past: Past | None = None

    def __call__(self, members: Ints, origin: Ints | np.int64) -> None:
        """origin: [member], or one for all."""
        learned = self.of.learned
        turns, between = self._anchors(members, origin)
        late = (learned.main[members] != turns) | learned.stale[members]
        self._renew(members[late], turns[late], turn=True)
        wanted = np.where(learned.young[members], between, turns)
        late = learned.anchor[members] != wanted
        self._renew(members[late], wanted[late], turn=False)

    def late(self, members: Ints, origin: Ints | np.int64) -> Bools:
        """[member], whether a call would let it learn."""
        learned = self.of.learned
        turns, between = self._anchors(members, origin)
        wanted = np.where(learned.young[members], between, turns)
        known = (learned.main[members] == turns) & (learned.anchor[members] == wanted)
        return np.asarray(~known | learned.stale[members])

    def _anchors(self, members: Ints, origin: Ints | np.int64) -> tuple[Ints, Ints]:
        """[member] twice: at which steps they learn when settled, and while they are young."""
        plan, step_s = self.of.server.plan, self.of.panel.step_s
        phases, at = self.of.team.phases[members], np.broadcast_to(origin, len(members))
        periods = (plan.period_steps(step_s), plan.refit_steps(step_s))
        return anchored(at, periods[0], phases), anchored(at, periods[1], phases)

    def _renew(self, members: Ints, anchors: Ints, *, turn: bool) -> None:
        of, experts, plan = self.of, self.of.experts, self.of.server.plan
        for some in pieces(np.arange(len(members))):
            for here, past in self._pasts(members[some], anchors[some]):
                who, when = members[some][here], anchors[some][here]
                of.learned.put(who, learn(past, when, experts, plan, of.team.risks[who]), turn=turn)
                for phase in set(of.team.phases[who].tolist()):
                    if past.faults:
                        of.learned.faults[phase] = past.faults
                    elif turn:
                        of.learned.faults.pop(phase, None)

    def _pasts(self, members: Ints, anchors: Ints) -> Iterator[tuple[Ints, Past]]:
        """The members, by place, with the past that they learn from; about those of whom too little is known to
        calibrate anything, nobody is asked.
        """
        if self.origin != self.last:
            yield np.arange(len(members)), self._shared(members)
            return
        past = self.of.past(members, self._begin(anchors), int(anchors.max()))
        teaches = past.teaches(self.of.server.plan)
        if teaches.all() or not teaches.any():
            yield np.arange(len(members)), past.told(self.of.asked(members)) if teaches.all() else past
            return
        some, others = np.flatnonzero(teaches), np.flatnonzero(~teaches)
        yield others, past.of(others)
        yield some, past.of(some).told(self.of.asked(members[some]))

    def _shared(self, members: Ints) -> Past:
        """Of a block: one past of the whole part, whatever the anchors."""
        if self._past is None:
            turns = anchored(
                np.full(self.part.stop - self.part.start, self.origin),
                self.of.server.plan.period_steps(self.of.panel.step_s),
                self.of.team.phases[self.part],
            )
            self._past = self.of.past(self.part, self._begin(turns), self.last).told(self.of.asked(self.part))
        whole = len(members) == self.part.stop - self.part.start
        return self._past if whole else self._past.of(members - self.part.start)

    def _begin(self, anchors: Ints) -> int:
        return Samples.before(anchors, self.of.server.plan, self.of.panel.step_s).begin
