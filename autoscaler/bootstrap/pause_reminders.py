"""Reminds people daily of pauses without an end, and knows over restarts when it did last."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from autoscaler.adapters.reminder_metrics import ReminderMetrics
from autoscaler.domain.fleet import Fleet
from autoscaler.domain.reminders import OpenPause, open_pauses
from autoscaler.ports.reminders import Reminders

log = logging.getLogger("foresail")


@dataclass(slots=True)
class PauseReminders:
    """place: the file that remembers; one that cannot be read is none, one that cannot be written is told once.

    others: where reminders go beside the log and the metrics.
    """

    place: Path
    metrics: ReminderMetrics
    others: Sequence[Reminders] = ()
    pauses: Mapping[str, OpenPause] = field(default_factory=dict)
    _read: bool = False
    _told: bool = False

    def look(self, fleet: Fleet, now_s: float) -> None:
        """After a tick. Never raises."""
        if not self._read:
            self.pauses, self._read = _kept(self.place), True
        pauses, due = open_pauses(fleet, self.pauses, now_s)
        changed = due or pauses.keys() != self.pauses.keys()
        self.pauses = pauses
        self.metrics.show(pauses)
        if changed:  # before it is told: told twice is worse than once too few
            self._keep()
        for pause in due:
            for sink in (self.metrics, *self.others):
                try:
                    sink.remind(pause)
                except Exception:
                    log.exception("pause_reminder_failed policy=%s", pause.policy)

    def told(self) -> list[dict[str, Any]]:
        """For /healthz."""
        return [
            {"policy": p.policy, "workloads": p.workloads, "since": p.since_s, "remindedAt": p.reminded_s}
            for _, p in sorted(self.pauses.items())
        ]

    def _keep(self) -> None:
        text = json.dumps([asdict(p) for _, p in sorted(self.pauses.items())], indent=1)
        new = self.place.with_name(f"{self.place.name}.new")
        try:
            new.write_text(text + "\n")
            new.replace(self.place)
        except OSError as error:
            if not self._told:
                log.warning("pause_reminders_not_kept file=%s: %s; a restart reminds anew", self.place, error)
            self._told = True


def _kept(place: Path) -> Mapping[str, OpenPause]:
    try:
        pauses = [OpenPause(**one) for one in json.loads(place.read_text())]
        return {p.policy: p for p in pauses if p.reminded_s >= p.since_s}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        log.warning("pause_reminders_unreadable file=%s: %s", place, error)
        return {}
