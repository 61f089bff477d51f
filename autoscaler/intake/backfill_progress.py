"""How a back-fill behaves, and how far it is: values for settings, logs, health and metrics."""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.intake.gaps import Reach

TOLD_FAILURES = 3
"""Answers in a row that did not come, after which decisions say so."""


@dataclass(frozen=True, slots=True)
class BackfillLimits:
    """reach_days: history that is fetched on first sight. request_steps: most steps of one request (Prometheus
    answers at most 11,000 points a series). request_points: most rows × steps of one. pause_s: least pause after a
    request to a source; after a slow one as long as that took. retry_s … retry_most_s: doubling pauses after no
    answer. flush_s: seconds between two writes. idle_s: between two looks when nothing is wanted.
    """

    reach_days: float = 28.0
    request_steps: int = 10_080
    request_points: int = 1_000_000
    settle_steps: int = 15
    pause_s: float = 1.0
    retry_s: float = 5.0
    retry_most_s: float = 600.0
    flush_s: float = 900.0
    idle_s: float = 5.0

    def pause_after(self, failures: int) -> float:
        """Seconds until who did not answer is asked again; none without a failure."""
        return min(self.retry_s * 2.0 ** min(failures - 1, 30), self.retry_most_s) if failures else 0.0

    def reach(self, step_s: int) -> Reach:
        return Reach(int(self.reach_days * 86400) // step_s, self.request_steps, settle_steps=self.settle_steps)


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """rows: known to the fleet; rows_done: nothing of their past is wanted; rows_failing: not answered last time.
    chunks: requests of one row. eta_s: seconds left at the pace so far, None before there is one.
    why: source → what keeps it from being filled. unanswered: key of a row → why its past did not come, where it was
    asked for TOLD_FAILURES times in a row. unsaved_points: values that are not in the store yet.
    """

    rows: int = 0
    rows_done: int = 0
    rows_failing: int = 0
    rows_restored: int = 0
    chunks_done: int = 0
    chunks_left: int = 0
    eta_s: float | None = None
    why: tuple[tuple[str, str], ...] = ()
    unanswered: tuple[tuple[str, str], ...] = ()
    unsaved_points: int = 0
    store_error: str | None = None

    @property
    def done(self) -> bool:
        return self.chunks_left == 0

    @property
    def words(self) -> str:
        chunks = f"{self.chunks_done} of {self.chunks_done + self.chunks_left} chunks"
        eta = "" if self.eta_s is None or self.done else f", about {max(1, round(self.eta_s / 60))} min left"
        failing = f", {self.rows_failing} rows without an answer" if self.rows_failing else ""
        return f"history of {self.rows_done} of {self.rows} rows is complete, {chunks}{eta}{failing}"
