"""What each guard of a chain did, over lanes: kept for those that spoke, told for all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, overload

from autoscaler.domain.reasons import Reason
from autoscaler.domain.series import Bools, Floats, Ints


class GuardTrace(NamedTuple):
    """One guard's effect over lanes. failed: lanes on which it raised and which therefore hold."""

    guard: str
    reason: Reason
    before: Ints
    after: Ints
    holds: Bools
    failed: Bools
    limit: Ints | Floats | None = None

    @property
    def acted(self) -> Bools:
        return (self.before != self.after) | self.holds


class Named(Protocol):
    """What is told of a guard that left all as it was."""

    @property
    def name(self) -> str: ...

    @property
    def reason(self) -> Reason: ...


class _Told(NamedTuple):
    name: str
    reason: Reason


class Trace(Sequence[GuardTrace]):
    """One entry for each guard, in their order.

    guards: all of them. spoken: place in the chain → its entry; the others, most of a usual tick, left all as it was,
    and their entries are made when somebody reads them. wanted: [lane], where the chain began. nobody: [lane].
    """

    __slots__ = ("_all", "guards", "nobody", "spoken", "wanted")

    def __init__(self, guards: Sequence[Named], spoken: dict[int, GuardTrace], wanted: Ints, nobody: Bools) -> None:
        self.guards, self.spoken, self.wanted, self.nobody = guards, spoken, wanted, nobody
        self._all: tuple[GuardTrace, ...] | None = None

    @staticmethod
    def told(entries: Sequence[GuardTrace]) -> Trace:
        """Of the entries of all guards, one at least."""
        names = [_Told(step.guard, step.reason) for step in entries]
        return Trace(names, dict(enumerate(entries)), entries[0].before, entries[0].failed)

    @property
    def changed(self) -> tuple[tuple[int, GuardTrace], ...]:
        """Guards that may have changed something on some lane, with their places in the chain."""
        return tuple((g, step) for g, step in self.spoken.items() if step.before is not step.after)

    def _entries(self) -> tuple[GuardTrace, ...]:
        if self._all is None:
            found, wanted = [], self.wanted
            for g, guard in enumerate(self.guards):
                step = self.spoken.get(g)
                if step is None:
                    step = GuardTrace(guard.name, guard.reason, wanted, wanted, self.nobody, self.nobody)
                found.append(step)
                wanted = step.after
            self._all = tuple(found)
        return self._all

    def __len__(self) -> int:
        return len(self.guards)

    def __iter__(self) -> Iterator[GuardTrace]:
        return iter(self._entries())

    @overload
    def __getitem__(self, at: int) -> GuardTrace: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[GuardTrace, ...]: ...

    def __getitem__(self, at: int | slice) -> GuardTrace | tuple[GuardTrace, ...]:
        return self._entries()[at]
