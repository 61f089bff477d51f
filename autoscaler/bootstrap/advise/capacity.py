"""What one ready replica can be trusted to serve, from what was seen; and what the HPA's target means in that unit.

Nobody measures saturation by looking: a replica is trusted with its CPU request, which the scheduler keeps for it, and
never with more than 1.1 times the most that one was seen to carry, on average over five minutes. Where that is less
than the request, a shortage in the simulation is load beyond what was ever seen, which need not have hurt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from autoscaler.bootstrap.advise.candidates import Basis, Candidate, Confidence, Doubt, HpaAsSet
from autoscaler.bootstrap.advise.record import BLOCK_S, Record
from autoscaler.domain.series import Floats
from autoscaler.planning.capacity import BEYOND_SEEN, LEAST_SAMPLES, Seen, curves, explained_by
from autoscaler.planning.load_curve import Curves

HALF: Final = 0.5
LEAST_BLOCKS: Final = LEAST_SAMPLES
"""Blocks with demand and replicas, below which nothing is derived."""
WELL_EXPLAINED, EXPLAINED = 0.8, 0.5
"""Share of the variance of CPU per replica that requests per replica explain."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """per_replica: demand, in the unit of the query. words: where it comes from. promised: it is typed, or follows from
    the CPU request; else from what was seen, and load above it need not have hurt.
    """

    per_replica: float
    words: str
    doubts: tuple[Doubt, ...] = ()
    promised: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class CpuOfRequests:
    """CPU of one replica over its requests: a rising curve of one lane. explained: share of the variance, 0 to 1."""

    curve: Curves
    explained: float

    def requests_at(self, cores: float) -> float:
        """Requests a second at which a replica uses this much CPU."""
        return float(self.curve.load_at(np.array([cores]))[0])


@dataclass(frozen=True, slots=True, eq=False)
class PerReplica:
    """[block], mean demand and CPU of one ready replica over five minutes. NaN = unknown.

    Divided by the most replicas that were ready at either end, so that a start or a stop never looks like a feat.
    """

    load: Floats
    cpu_cores: Floats


class NoCapacity(ValueError):
    """Why there is none."""


def per_replica(record: Record, step_s: int) -> PerReplica:
    blocks = record.demand.reshape(-1, BLOCK_S // step_s)
    before = np.concatenate(([np.nan], record.ready[:-1]))
    ready = np.where(record.ready > 0, np.fmax(record.ready, before), np.nan)
    return PerReplica(blocks.mean(axis=1) / ready, record.cpu_cores / ready)


def cpu_of_requests(seen: PerReplica) -> CpuOfRequests | None:
    """The curve of `planning.load_curve`; None where the load never moved, or CPU does not rise with it."""
    known = np.isfinite(seen.load) & np.isfinite(seen.cpu_cores) & (seen.load >= 0) & (seen.cpu_cores >= 0)
    if known.sum() < LEAST_BLOCKS:
        return None
    load, cores = (np.where(known, values, np.nan)[None, :] for values in (seen.load, seen.cpu_cores))
    one = Seen(load, cores, np.ones(1), np.zeros(load.shape, dtype=np.bool_), np.zeros(1, dtype=np.int64))
    curve = curves(one)
    explained = float(explained_by(one, curve)[0][0])
    if not (curve.slope[0] > 0 and explained > 0):
        return None
    return CpuOfRequests(curve, explained)


def capacity(one: Candidate, seen: PerReplica, curve: CpuOfRequests | None) -> Capacity:
    """Raises NoCapacity with the reason where nothing can be derived."""
    if one.capacity is not None:
        return Capacity(one.capacity, "typed", promised=True)
    known = seen.load[np.isfinite(seen.load)]
    if len(known) < LEAST_BLOCKS:
        raise NoCapacity("fewer than 12 hours with both demand and ready replicas on record")
    highest = float(known.max())
    if highest <= 0:
        raise NoCapacity("no replica ever carried any load")
    trusted = BEYOND_SEEN * highest
    unit = "cores" if one.basis is Basis.CPU else "/s"
    seen_words = f"{BEYOND_SEEN:g} × the most that one replica was seen to carry ({highest:.3g} {unit})"
    if one.request_cores is None:
        doubt = Doubt(Confidence.LOW, "no CPU request: a replica is trusted only with what one was seen to carry")
        return Capacity(trusted, seen_words, (doubt,))
    if one.basis is Basis.CPU:
        promised, words = one.request_cores, f"its CPU request ({one.request_cores:.3g} cores)"
        doubts: tuple[Doubt, ...] = ()
    else:
        if curve is None:
            doubt = Doubt(Confidence.LOW, "its CPU does not rise with its requests")
            return Capacity(trusted, seen_words, (doubt,))
        promised = curve.requests_at(one.request_cores)
        words = f"the requests at which a replica uses its CPU request ({promised:.3g} {unit})"
        doubts = _explained(curve)
    if 0 < promised <= trusted:
        return Capacity(promised, words, doubts, promised=True)
    share = highest / promised if promised > 0 else 1.0
    if share < 1 / BEYOND_SEEN:
        words = f"no replica was seen above {share:.0%} of its CPU request, and is not trusted with much more"
        doubts = (*doubts, Doubt(Confidence.MEDIUM if share >= HALF else Confidence.LOW, words))
    return Capacity(trusted, seen_words, doubts)


def _explained(curve: CpuOfRequests) -> tuple[Doubt, ...]:
    if curve.explained >= WELL_EXPLAINED:
        return ()
    most = Confidence.MEDIUM if curve.explained >= EXPLAINED else Confidence.LOW
    return (Doubt(most, f"requests explain {curve.explained:.0%} of a replica's CPU"),)


def target_percent(
    hpa: HpaAsSet, one: Candidate, per: Capacity, curve: CpuOfRequests | None, share: float | None = None
) -> float:
    """The HPA's target as percent of capacity. share: another target in place of its own, of the CPU request.

    Raises NoCapacity where it cannot be told.
    """
    if hpa.capacity_percent is not None:
        return float(hpa.capacity_percent) if share is None else 100 * share
    if hpa.cpu_share is not None:
        if one.request_cores is None:
            raise NoCapacity("its HPA aims at a share of the CPU request, and no request is on record")
        cores = one.request_cores * (hpa.cpu_share if share is None else share)
    else:
        cores = float(hpa.cpu_cores or 0.0) if share is None else share * float(one.request_cores or hpa.cpu_cores or 0)
    if one.basis is Basis.CPU:
        return 100 * cores / per.per_replica
    if curve is None:
        raise NoCapacity("its HPA scales on CPU, and its CPU does not rise with the demand")
    return 100 * curve.requests_at(cores) / per.per_replica
