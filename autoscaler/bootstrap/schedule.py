"""Driving a service: APScheduler ticks it, a signal ends it."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

log = logging.getLogger("foresail")


class Schedule:
    """Calls `tick` every `period_s`; never two at once, and what is left out is told to `skipped`.

    between: called after each tick in the same thread, with what says how many seconds are left until the next one is
    due (0 once an end was asked for): it has to be back by then.
    """

    def __init__(
        self,
        tick: Callable[[], object],
        period_s: float,
        skipped: Callable[[], None],
        between: Callable[[Callable[[], float]], None] | None = None,
    ) -> None:
        self._stopping = False
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": max(1, int(period_s))},
        )

        def left_out(_: JobEvent) -> None:
            skipped()

        def turn() -> None:
            tick()
            if between is not None:
                between(self._left_s)

        self._scheduler.add_listener(left_out, EVENT_JOB_MAX_INSTANCES | EVENT_JOB_MISSED)
        now = datetime.now(UTC)
        self._job = self._scheduler.add_job(turn, "interval", seconds=period_s, id="tick", next_run_time=now)
        # APScheduler warns of every skipped run by itself; `skipped` already says it.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        """Let a running tick end, start no other."""
        self._stopping = True
        self._scheduler.shutdown(wait=True)

    def _left_s(self) -> float:
        """The scheduler has moved the job on to its next time before it runs."""
        due = getattr(self._job, "next_run_time", None)
        if self._stopping or due is None:
            return 0.0
        return max(0.0, (due - datetime.now(UTC)).total_seconds())


def until_told(stop: threading.Event) -> None:
    """Block the main thread until SIGTERM or SIGINT, or until `stop` is set from elsewhere."""

    def on_signal(number: int, _: FrameType | None) -> None:
        log.info("stopping signal=%s", signal.Signals(number).name)
        stop.set()

    before = {s: signal.signal(s, on_signal) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        while not stop.wait(timeout=0.5):
            pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
