"""Reports made by hand: a month of steps of a minute with a shortage, a gap and a name that tries to be markup."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from autoscaler.reporting.report.values import (
    Advice,
    Basis,
    ClaimRow,
    Curve,
    Estimate,
    Frontier,
    Method,
    MethodRow,
    Point,
    Report,
    RiskKept,
    Role,
    Stretch,
    Subject,
    TargetTried,
    Track,
    View,
)

START = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE, DAY = 60, 1440
NASTY = "<script>alert('x')</script> & \"web\""
FIGURES = {
    "steps": 33120, "replicaHours": 15000.0, "overBound": 1.31, "shortMinutes": 40.0, "shortShare": 0.0012,
    "unservedShare": 0.0004, "worstMissing": 7, "worstShare": 0.2, "longestShortMinutes": 12.0, "churnPerHour": 3.4,
    "turnsPerDay": 11.0, "riskRatio": 0.24, "riskLow": 0.1, "riskHigh": 0.5,
}  # fmt: skip


def row(
    role: Role, hours: float, short: float, *, saving: float | None = None, avoided: float | None = None
) -> ClaimRow:
    return ClaimRow(
        role,
        {Role.AS_SET: "your HPA as set (70 %)", Role.RETUNED: "your HPA retuned"}.get(role, "Foresail (HpaFloor)"),
        Basis.SIMULATED,
        Estimate(hours, hours * 0.9, hours * 1.1),
        Estimate(short, short * 0.5, short * 1.5),
        short / 33120,
        None if saving is None else Estimate(saving, saving - 0.02, saving + 0.02),
        None if avoided is None else Estimate(avoided, avoided - 10, avoided + 10),
    )


def view(title: str, days: int, *, name: str = "your HPA") -> View:
    steps = days * DAY
    at = np.arange(steps)
    rng = np.random.default_rng(3)
    demand = 600 * (1 + 0.6 * np.sin(2 * np.pi * at / DAY)) * rng.lognormal(0, 0.06, steps)
    demand[400:460] = np.nan
    needed = np.ceil(demand / 10)
    ours, rival = np.nan_to_num(needed, nan=60) + 6, np.nan_to_num(needed, nan=60) + 1
    ours[700:704] -= 20
    return View(
        title, "made by hand", MINUTE, int(START.timestamp()) // MINUTE, demand, demand * 1.02, demand * 1.2, needed,
        Track("Foresail", Basis.SIMULATED, ours, np.nan_to_num(needed) > ours),
        Track(name, Basis.SIMULATED, rival, np.nan_to_num(needed) > rival),
    )  # fmt: skip


def report(*, saving: float = -0.05, avoided: float = 30.0, short: float = 10.0, name: str = NASTY) -> Report:
    """Our row against 1,000 replica-hours and `short` + avoided minutes of the HPA as set."""
    methods = tuple(
        Method(
            f"m{k}", f"method {k}",
            tuple(MethodRow(t, f"target {70 - k} %", FIGURES) for t in ("default", "hindsight", "causal")),
            (None, 2.0 + k / 10, 1.5, 1.2),
        )
        for k in range(20)
    )  # fmt: skip
    points = tuple(Point(f"risk {r} %", r / 100, 2 - r / 20) for r in (0.05, 0.1, 0.5, 1, 2, 5, 10))
    curves = (
        Curve("foresail", "Foresail", Role.OURS, points),
        Curve("hpa", "HPA", Role.AS_SET, tuple(replace(p, over=p.over + 0.1) for p in points)),
        *(
            Curve(m.name, m.title, None, tuple(replace(p, over=p.over + k / 20) for p in points))
            for k, m in enumerate(methods)
        ),
    )  # fmt: skip
    return Report(
        subject=Subject(
            name, MINUTE, START, START + timedelta(days=7), START + timedelta(days=30), 552.0, (("lead", "180 s"),)
        ),
        claims=(
            row(Role.AS_SET, 1000, short + avoided),
            row(Role.RETUNED, 1100, short, saving=-0.1, avoided=avoided),
            row(Role.OURS, 1000 * (1 - saving), short, saving=saving, avoided=avoided),
        ),
        caveats=(),
        risk=RiskKept(0.005, short / 33120, Estimate(0.06, 0.02, 0.1), 33120),
        views=(view("The worst day", 1, name=name), view("A usual week", 7, name=name)),
        frontier=Frontier(0.005, curves, ((Role.OURS, points[2]), (Role.AS_SET, replace(points[4], over=1.4)))),
        methods=methods,
        gaps=tuple(
            Stretch(START + timedelta(hours=5 * k), START + timedelta(hours=5 * k, minutes=k + 1), k + 1, "no sample")
            for k in range(60)
        ),
        censored=(Stretch(START, START + timedelta(minutes=9), 9, "marked"),),
        advice=Advice(
            "apiVersion: v1\nquery: a % b < c\n", 70, 80,
            (TargetTried(70, 1050.0, 0.001, kept=True), TargetTried(80, 900.0, 0.004, kept=True),
             TargetTried(90, 850.0, 0.009, kept=False)),
        ),
        limits=("demand is taken as recorded",),
        notes=(f"read from {name}",),
    )  # fmt: skip
