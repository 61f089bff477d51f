"""What the closed loop remembers, as arrays for an artefact and back, and what of it still holds after a pause.

The form follows the values themselves: every array and number of `LoopState`, under the name of its field. A Foresail
whose values have other fields has another layout, and says so instead of reading what it does not understand.
Forecasts are not in it: they are a function of demand before absolute anchors and come back from the demand we keep.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.artefact import Arrays
from autoscaler.domain.fleet import NO_LIMIT, Fleet
from autoscaler.domain.series import Bools
from autoscaler.domain.workload import WorkloadRef
from autoscaler.pipeline.state import LoopState

MEANING = 1
"""Raise it when a field keeps its name and type and means something else."""
LANES = "lanes"
SHORT_GAP_STEPS = 2
"""A restart within this many steps: what was wanted before it stood, as it does between two ticks."""
SMALL = np.iinfo(np.int32)


class NotOurs(ValueError):
    """Arrays that are no state of this Foresail's loop; says what is wrong."""


@dataclass(frozen=True, slots=True)
class _Leaf:
    """One array or number inside the state. path: field names from the top."""

    path: tuple[str, ...]
    value: NDArray[Any] | float

    @property
    def name(self) -> str:
        return ".".join(self.path)


def layout(template: LoopState) -> str:
    """Names, types and dimensions of everything in a state, and what they mean, as sixteen hex digits."""
    told = [f"{leaf.name}:{np.asarray(leaf.value).dtype.str}:{np.ndim(leaf.value)}" for leaf in _leaves(template)]
    return hashlib.sha256(f"{MEANING} {' '.join(told)}".encode()).hexdigest()[:16]


def arrays_of(state: LoopState) -> Arrays:
    """Counts as 32 bits where they fit, which they do; lanes first, so that what hardly changes lies side by side.

    At least one lane is needed.
    """
    found: dict[str, NDArray[Any]] = {LANES: np.array([str(ref).encode() for ref in state.lanes])}
    for leaf in _leaves(state):
        array = np.asarray(leaf.value)
        if array.dtype.kind == "i" and array.size and SMALL.min <= array.min() and array.max() <= SMALL.max:
            array = array.astype(np.int32)
        found[leaf.name] = array.T
    return found


def state_of(arrays: Arrays, template: LoopState) -> LoopState:
    """The state as it was saved, for the lanes that it was saved for. template: a fresh state of this Foresail's.

    Raises NotOurs when names, dimensions or numbers are not those of a state.
    """
    leaves = {leaf.name: leaf for leaf in _leaves(template)}
    per_lane = _per_lane(template)
    if set(arrays) != {LANES, *leaves}:
        raise NotOurs(f"it holds other fields: {', '.join(sorted(set(arrays) ^ {LANES, *leaves}))}")
    lanes = tuple(_ref(name) for name in arrays[LANES].tolist())
    if len(set(lanes)) != len(lanes):
        raise NotOurs("a workload is in it twice")
    values: dict[str, Any] = {}
    for name, leaf in leaves.items():
        shape, dtype = np.shape(leaf.value), np.asarray(leaf.value).dtype
        array = arrays[name].T
        fits = array.ndim == len(shape) and (array.dtype.kind == dtype.kind)
        if not fits or (name in per_lane and array.shape[-1] != len(lanes)):
            raise NotOurs(f"{name} is {array.dtype} {list(array.shape)} for {len(lanes)} workloads")
        values[name] = np.ascontiguousarray(array, dtype=dtype) if shape else array.astype(dtype).item()
    found: LoopState = _rebuilt(template, values, ())
    found = replace(found, lanes=lanes)
    if not (np.isfinite(found.margin.margin).all() and np.isfinite(found.twofold.second.margin).all()):
        raise NotOurs("a margin in it is not a finite number")
    return found


def resumed(saved: LoopState, fleet: Fleet, now_s: float, step_s: int) -> LoopState:
    """A saved state as it holds at now_s for a fleet.

    Margins hold. What we wanted before a pause of more than two steps stood for nothing in it, so no step of the pause
    is judged by it: a miss while we were away says nothing about our forecasts. Windows that the pause has outrun are
    forgotten, so that such a lane starts as one that is seen for the first time: no less than its current count was
    recommended. Shorter pauses change nothing.
    """
    state = saved.for_fleet(fleet, step_s)
    if now_s // step_s - state.margin.step > SHORT_GAP_STEPS:
        twofold = replace(state.twofold, second=state.twofold.second.unasked())
        state = state.learned(state.margin.unasked(), twofold)
    if not len(state.times_s):
        return state
    if not (np.diff(state.times_s, append=now_s) >= 0).all():  # a clock was set back: no window can be told from it
        return replace(state, times_s=np.empty(0), high=state.high[:0], low=state.low[:0], counts=state.counts[:0])
    gap_s = now_s - float(state.times_s[-1])
    longest = [limits.window_s for limits in (fleet.up, fleet.down)]
    longest += [limits.period_s.max(axis=1, initial=0) for limits in (fleet.up, fleet.down)]
    outrun: Bools = np.asarray(gap_s > np.maximum.reduce(longest))
    return replace(
        state,
        high=np.where(outrun, -1, state.high),
        low=np.where(outrun, NO_LIMIT, state.low),
        counts=np.where(outrun, -1, state.counts),
    )


def _per_lane(template: LoopState) -> set[str]:
    """Names of arrays whose last axis is the lanes: it is another one for a fleet of none."""
    none = {leaf.name: np.shape(leaf.value) for leaf in _leaves(LoopState.fresh(Fleet(()), 60))}
    return {leaf.name for leaf in _leaves(template) if np.shape(leaf.value)[-1:] != none[leaf.name][-1:]}


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[_Leaf]:
    for field in dataclasses.fields(value):
        if not path and field.name == LANES:
            continue
        inner, here = getattr(value, field.name), (*path, field.name)
        if dataclasses.is_dataclass(inner):
            yield from _leaves(inner, here)
        elif isinstance(inner, (np.ndarray, float, int)):
            yield _Leaf(here, inner)
        else:
            raise TypeError(f"{'.'.join(here)} is a {type(inner).__name__}, and state is arrays and numbers")


def _rebuilt(template: Any, values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    changed: dict[str, Any] = {}
    for field in dataclasses.fields(template):
        inner, here = getattr(template, field.name), (*path, field.name)
        if dataclasses.is_dataclass(inner):
            changed[field.name] = _rebuilt(inner, values, here)
        elif ".".join(here) in values:
            changed[field.name] = values[".".join(here)]
    return replace(template, **changed)


def _ref(name: bytes) -> WorkloadRef:
    namespace, slash, rest = name.decode(errors="replace").partition("/")
    if not slash or not namespace or not rest:
        raise NotOurs(f"{name!r:.60} is not the name of a workload")
    return WorkloadRef(namespace, rest)
