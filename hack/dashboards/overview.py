"""All workloads at once."""

from __future__ import annotations

from hack.dashboards.grafana import ALARM, BAD, RATE, WORKLOAD, Dashboard, Panel


def _count(query: str) -> str:
    """Of series that are absent while there is nothing to count."""
    return f"count({query}) or vector(0)"


SHORT = (
    f'topk(10, foresail_risk_realised_ratio{{of="system", {WORKLOAD}}} '
    f"/ ignoring (of) foresail_risk_asked_ratio{{{WORKLOAD}}})"
)
OVERVIEW = Dashboard(
    "foresail-overview",
    "Foresail / Overview",
    "All workloads: how many replicas there are and are wanted, what is held, what is short, what needs a look.",
    "usage.md#metrics-and-health",
    [
        (
            "Now",
            [
                Panel(
                    "Workloads",
                    "That are decided about.",
                    [(f"count(foresail_data_ok{{{WORKLOAD}}})", "workloads")],
                    kind="stat",
                    width=4,
                    height=4,
                ),
                Panel(
                    "Held",
                    "By a guard: never below what runs.",
                    [(f"sum(foresail_held{{{WORKLOAD}}})", "held")],
                    kind="stat",
                    width=4,
                    height=4,
                    steps=ALARM,
                ),
                Panel(
                    "Without usable data",
                    "Some demand has no usable value: unknown, not zero.",
                    [(_count(f"foresail_data_ok{{{WORKLOAD}}} == 0"), "without data")],
                    kind="stat",
                    width=4,
                    height=4,
                    steps=ALARM,
                ),
                Panel(
                    "Rivals and conflicts",
                    "Somebody else decides about them too.",
                    [(_count(f'foresail_condition{{condition=~"Conflict|RivalAutoscaler", {WORKLOAD}}}'), "rivals")],
                    kind="stat",
                    width=4,
                    height=4,
                    steps=BAD,
                ),
                Panel(
                    "Floors raised",
                    "Floors that we hold above their owners' own.",
                    [("sum(foresail_floors_raised)", "floors")],
                    kind="stat",
                    width=4,
                    height=4,
                ),
                Panel(
                    "Alerts that last",
                    "Of Foresail, by its own count.",
                    [("sum(foresail_alerts_open)", "alerts")],
                    kind="stat",
                    width=4,
                    height=4,
                    steps=ALARM,
                ),
            ],
        ),
        (
            "Replicas",
            [
                Panel(
                    "Replicas of all",
                    "Written now, wanted before guards, granted after them, and serving.",
                    [
                        (f"sum(foresail_{each}_replicas{{{WORKLOAD}}})", each)
                        for each in ("current", "wanted", "granted", "ready")
                    ],
                    low=0,
                    dashed=("wanted",),
                ),
                Panel(
                    "Largest workloads",
                    "Replicas that serve.",
                    [(f"topk(10, foresail_ready_replicas{{{WORKLOAD}}})", "{{namespace}}/{{name}}")],
                    low=0,
                ),
                Panel(
                    "What changed numbers",
                    "How often guards changed or held a number, by reason (docs/reasons.md).",
                    [
                        (
                            f"topk(10, sum by (reason) (rate(foresail_guard_actions_total{{{WORKLOAD}}}[{RATE}])))",
                            "{{reason}}",
                        )
                    ],
                    unit="ops",
                    stacked=True,
                    low=0,
                ),
                Panel(
                    "Writes",
                    "To the cluster, by outcome.",
                    [(f"sum by (outcome) (rate(foresail_writes_total{{{WORKLOAD}}}[{RATE}]))", "{{outcome}}")],
                    unit="ops",
                    low=0,
                ),
            ],
        ),
        (
            "Risk",
            [
                Panel(
                    "Furthest above the accepted risk",
                    "Realised over accepted share of time short of capacity, of what served; above 1 is too much.",
                    [(SHORT, "{{namespace}}/{{name}}")],
                    low=0,
                ),
                Panel(
                    "Unserved demand",
                    "Share of demand above what the ready replicas serve, over the last weeks.",
                    [(f"topk(10, foresail_unserved_demand_ratio{{{WORKLOAD}}})", "{{namespace}}/{{name}}")],
                    unit="percentunit",
                    low=0,
                ),
                Panel(
                    "What the cluster says",
                    "Conditions that hold now, by kind (docs/reasons.md).",
                    [(f"sum by (condition) (foresail_condition{{{WORKLOAD}}})", "{{condition}}")],
                    low=0,
                ),
                Panel(
                    "Pauses without an end",
                    "Workloads that such a pause stops, by policy.",
                    [("foresail_pause_open_workloads", "{{policy}}")],
                    low=0,
                ),
            ],
        ),
    ],
)
