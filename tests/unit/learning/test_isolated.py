"""Jobs that hang, die, eat memory or raise: each costs its own answer (FAULTS F05)."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

from autoscaler.learning.backtest.isolated import Answer, Limits, Lost, run_isolated


def _job(item: str) -> float:
    if item == "hang":
        time.sleep(600)
    if item == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "leave":
        os._exit(3)
    if item == "raise":
        raise ArithmeticError("no such root")
    if item == "memory":
        return float(np.ones(200_000_000).sum())
    if item == "spin":
        while True:
            pass
    return float(len(item))


def _answers(*items: str, limits: Limits, workers: int = 2) -> dict[str, Answer[float] | Lost]:
    return {a.name: a for a in run_isolated(_job, {i: i for i in items}, limits, workers=workers)}


@pytest.mark.slow
def test_f05_each_fault_costs_its_own_answer():
    """F05: thrown, out of memory, overrun; the good ones answer."""
    limits = Limits(processor_s=2, wall_s=15, memory_bytes=256 << 20)
    found = _answers("good", "raise", "memory", "die", "leave", "spin", "hang", "fine", limits=limits)
    assert found["good"] == Answer("good", 4.0)
    assert found["fine"] == Answer("fine", 4.0)
    why = {name: each.why for name, each in found.items() if isinstance(each, Lost)}
    assert why.pop("raise") == "raised ArithmeticError: no such root"
    assert why.pop("memory") in {"needs more than 256 MiB", "raised _ArrayMemoryError: out of memory"}
    assert why.pop("die").startswith("its process died (SIGKILL)")
    assert why.pop("leave") == "its process ended without an answer (exit code 3)"
    assert why.pop("spin") == "ended after 2 s of processor time"
    assert why.pop("hang") == "ended after 15 s by the clock"
    assert why == {}


def test_nothing_to_do_is_done_at_once():
    assert list(run_isolated(_job, {})) == []


@pytest.mark.slow
def test_who_stops_reading_ends_what_still_runs():
    answers = run_isolated(_job, {"a": "good", "b": "hang"}, Limits(wall_s=120), workers=2)
    assert next(answers) == Answer("a", 4.0)
    began = time.monotonic()
    answers.close()
    assert time.monotonic() - began < 10
