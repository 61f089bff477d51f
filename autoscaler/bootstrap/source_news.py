"""What is said in the log of sources and their demands: each change once, many alike in one line."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from autoscaler.domain.decision import Decisions
from autoscaler.domain.series import DataVerdict

log = logging.getLogger("foresail")
SINGLY = 3
"""So many demands that change alike are told one by one; more of them in one line."""


@dataclass(slots=True)
class SourceNews:
    """Remembers what was told, so that only changes are."""

    _errors: dict[str, str] = field(default_factory=dict)
    _verdicts: dict[str, int] = field(default_factory=dict)

    def tell_errors(self, errors: Mapping[str, str]) -> None:
        """Sources and series of files: failing, failing in another way, or back."""
        for place, why in errors.items():
            if self._errors.get(place) != why:
                log.warning("source_error %s: %s", place, why)
        for place in self._errors.keys() - errors.keys():
            log.info("source_ok %s", place)
        self._errors = dict(errors)

    def tell_demands(self, decisions: Decisions, servers: Collection[str]) -> None:
        """Demands of servers: the newest verdict, where it is another than before; at first where it is not OK."""
        fleet, seen = decisions.fleet, decisions.seen
        keys = fleet.row_keys()
        codes = {key: int(code) for key, code in zip(keys, seen.verdict.tolist(), strict=True)}
        groups: dict[tuple[str, int], list[int]] = defaultdict(list)
        for row, (key, demand) in enumerate(zip(keys, fleet.demands, strict=True)):
            if demand.source in servers and codes[key] != self._verdicts.get(key, int(DataVerdict.OK)):
                groups[demand.source, codes[key]].append(row)
        for (source, code), rows in groups.items():
            self._tell(decisions, source, DataVerdict(code), rows)
        self._verdicts = codes

    @staticmethod
    def _tell(decisions: Decisions, source: str, verdict: DataVerdict, rows: list[int]) -> None:
        notes = decisions.seen.notes
        if len(rows) > SINGLY:
            some = ", ".join(_who(decisions, row) for row in rows[:SINGLY])
            whose, rows = f"demands={len(rows)} ({some}, …)", rows[:1]
        else:
            whose = ""
        for row in rows:
            place = whose or f"demand={_who(decisions, row)}"
            if verdict is DataVerdict.OK:
                log.info("demand_ok source=%s %s", source, place)
            else:
                note = f"; {notes[row]}" if row in notes else ""
                log.warning(
                    "demand_fault source=%s %s verdict=%s: %s%s", source, place, verdict.name, verdict.words, note
                )


def _who(decisions: Decisions, row: int) -> str:
    fleet = decisions.fleet
    return f"{fleet.workloads[int(fleet.row_lane[row])].ref}/{fleet.demands[row].name}"
