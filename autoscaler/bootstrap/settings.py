"""What a service is started with, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from autoscaler.bootstrap.alert_settings import AlertSettings
from autoscaler.intake.backfill_progress import BackfillLimits

TICK_SHARE = 0.6
LEAST_DEADLINE_S = 1.0
LONG_DEADLINE_S = 120.0


def demand_file(store: Path) -> Path:
    """The file of the demand that we keep: beside the record."""
    return store.with_name(f"{store.stem}-demand{store.suffix or '.db'}")


def state_folder(store: Path) -> Path:
    """The folder of what the loop has learned: beside the record."""
    return store.with_name(f"{store.stem}-state")


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Which Kubernetes, and who we are in it. installation: the name on what we hold, one per Foresail of a cluster."""

    kubeconfig: Path | None = None
    context: str | None = None
    in_cluster: bool = False
    installation: str = "foresail"


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """step_s: grid of the history. tick_s: how often we decide. store: file of the record.
    listen: host and port of /metrics and /healthz, None = off. replay_from: run on a past clock from there, `speed`
    times as fast as time passes, as if begun at `replay_since` (None = when it is made). history_days: demand kept in
    memory. beside: history of servers comes beside
    the ticks, from our own store and a back-fill; False: every tick asks for all it needs, however long that takes.
    cluster: where replicas are read and written; None = a simulated cluster. state_every_s: seconds of machine time
    between two savings of what the loop has learned; None = it is neither saved nor restored. policies: further files
    and folders, of GuardPolicies. site: where we run, for their selectors. alerts: where they go.
    anomalies: whether they are looked for, and bind. detectors: recipe of further detectors for that.
    """

    fleet: tuple[Path, ...]
    store: Path
    step_s: int = 60
    tick_s: float = 15.0
    listen: tuple[str, int] | None = ("127.0.0.1", 9464)
    replay_from: datetime | None = None
    replay_since: datetime | None = None
    speed: float = 1.0
    history_days: int = 16
    beside: bool = True
    backfill: BackfillLimits = field(default_factory=BackfillLimits)
    cluster: ClusterSettings | None = None
    state_every_s: float | None = 60.0
    policies: tuple[Path, ...] = ()
    site: str | None = None
    alerts: AlertSettings = field(default_factory=AlertSettings)
    anomalies: bool = True
    detectors: Path | None = None

    @property
    def real_tick_s(self) -> float:
        """Seconds of machine time between ticks; a replay ticks `speed` times as often."""
        return self.tick_s / self.speed

    @property
    def deadline_s(self) -> float:
        """Seconds that a tick waits for its sources: less than the time to the next one."""
        return max(LEAST_DEADLINE_S, TICK_SHARE * self.real_tick_s) if self.beside else LONG_DEADLINE_S

    @property
    def demand_store(self) -> Path:
        return demand_file(self.store)

    @property
    def state_folder(self) -> Path:
        return state_folder(self.store)

    @property
    def reminders(self) -> Path:
        """The file that knows of which pauses people were reminded when, beside the record."""
        return self.store.with_name(f"{self.store.stem}-reminders.json")

    @property
    def capacities(self) -> Path:
        """The file of learned capacities, beside the record."""
        return self.store.with_name(f"{self.store.stem}-capacities.json")
