"""One workload, and why its numbers are what they are."""

from __future__ import annotations

from hack.dashboards.grafana import RATE, WORKLOAD, Dashboard, Panel

ONE = Dashboard(
    "foresail-workload",
    "Foresail / Workload",
    "One workload: its demand and forecast, its replicas, and every reason why they are what they are.",
    "usage.md#metrics-and-health",
    [
        (
            "Replicas and demand",
            [
                Panel(
                    "Replicas",
                    "Written now (replicas, or the floor), wanted before guards, granted after them, serving, and "
                    "what the demand observed now needs.",
                    [
                        (f"foresail_{each}_replicas{{{WORKLOAD}}}", words)
                        for each, words in (
                            ("current", "current"),
                            ("wanted", "wanted"),
                            ("granted", "granted"),
                            ("ready", "ready"),
                            ("observed_need", "observed need"),
                        )
                    ],
                    width=24,
                    height=9,
                    low=0,
                    dashed=("wanted",),
                ),
                Panel(
                    "Forecast of the coming peak",
                    "Quantiles of the peak over the lead window, in the demand's own unit.",
                    [(f"foresail_forecast_peak{{{WORKLOAD}}}", "{{demand}} at {{level}}")],
                    low=0,
                ),
                Panel(
                    "Margin",
                    "Factor on the sizing quantile, by which risk is kept.",
                    [(f"foresail_margin_ratio{{{WORKLOAD}}}", "margin")],
                    low=0,
                ),
            ],
        ),
        (
            "Why",
            [
                Panel(
                    "Held, and data usable",
                    "1 while held; 1 while all demands are usable.",
                    [(f"foresail_held{{{WORKLOAD}}}", "held"), (f"foresail_data_ok{{{WORKLOAD}}}", "data usable")],
                    kind="state-timeline",
                    height=6,
                ),
                Panel(
                    "What the cluster says",
                    "Conditions that hold (docs/reasons.md).",
                    [(f"foresail_condition{{{WORKLOAD}}}", "{{condition}}")],
                    kind="state-timeline",
                    height=6,
                ),
                Panel(
                    "Guards",
                    "How often each reason changed or held the number (docs/reasons.md).",
                    [(f"sum by (reason) (rate(foresail_guard_actions_total{{{WORKLOAD}}}[{RATE}]))", "{{reason}}")],
                    unit="ops",
                    stacked=True,
                    low=0,
                ),
                Panel(
                    "Writes",
                    "By outcome.",
                    [(f"sum by (outcome) (rate(foresail_writes_total{{{WORKLOAD}}}[{RATE}]))", "{{outcome}}")],
                    unit="ops",
                    low=0,
                ),
            ],
        ),
        (
            "Risk and lead",
            [
                Panel(
                    "Risk",
                    "Share of time short of capacity: accepted, of our plan, and of what really served.",
                    [
                        (f"foresail_risk_asked_ratio{{{WORKLOAD}}}", "accepted"),
                        (f"foresail_risk_realised_ratio{{{WORKLOAD}}}", "{{of}}"),
                    ],
                    unit="percentunit",
                    low=0,
                    dashed=("accepted",),
                ),
                Panel(
                    "Short demand",
                    "Share of demand in short steps, and share that was above what was ready.",
                    [
                        (f"foresail_demand_weighted_shortage_ratio{{{WORKLOAD}}}", "in short steps"),
                        (f"foresail_unserved_demand_ratio{{{WORKLOAD}}}", "unserved"),
                    ],
                    unit="percentunit",
                    low=0,
                ),
                Panel(
                    "Lead time",
                    "From a sample until the last replica asked for on it serves; the parts add up.",
                    [(f"foresail_lead_seconds{{{WORKLOAD}}}", "{{part}}")],
                    unit="s",
                    stacked=True,
                    low=0,
                ),
                Panel(
                    "Left out of learning",
                    "Share of the last week that calibration.exclude takes out.",
                    [(f"foresail_calibration_excluded_ratio{{{WORKLOAD}}}", "excluded")],
                    unit="percentunit",
                    low=0,
                    high=1,
                ),
            ],
        ),
    ],
    one=True,
)
