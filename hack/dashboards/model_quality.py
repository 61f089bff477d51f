"""What forecasts are worth."""

from __future__ import annotations

from hack.dashboards.grafana import WORKLOAD, Dashboard, Panel

MODELS = Dashboard(
    "foresail-model-quality",
    "Foresail / Model quality",
    "What forecasts rest on, and whether they are better than the same window a day ago, in error and in replicas.",
    "backtest.md",
    [
        (
            "Standing",
            [
                Panel(
                    "Demands by rung",
                    "What their forecasts rest on: 0 observed demand alone, 1 pretrained, 2 hours, 3 a day, 4 a week.",
                    [(f'count_values("rung", foresail_forecast_rung{{{WORKLOAD}}})', "rung {{rung}}")],
                    stacked=True,
                    low=0,
                ),
                Panel(
                    "Share that beats seasonal-naive",
                    "Of the demands that can be compared.",
                    [(f"avg(foresail_forecast_qualified{{{WORKLOAD}}})", "share")],
                    unit="percentunit",
                    low=0,
                    high=1,
                ),
            ],
        ),
        (
            "Error and cost",
            [
                Panel(
                    "Worst quantile loss",
                    "Over that of seasonal-naive, in the calibration window; above 1 is worse.",
                    [(f"topk(10, foresail_forecast_loss_ratio{{{WORKLOAD}}})", "{{namespace}}/{{name}} {{demand}}")],
                    low=0,
                ),
                Panel(
                    "Worst decisions",
                    "What plans cost above perfect foresight at the accepted risk, over that of plans on "
                    "seasonal-naive.",
                    [
                        (
                            f"topk(10, foresail_forecast_decision_ratio{{{WORKLOAD}}})",
                            "{{namespace}}/{{name}} {{demand}}",
                        )
                    ],
                    low=0,
                ),
                Panel(
                    "Largest margins",
                    "What risk control adds to the sizing quantile: a large one is a forecast that errs low.",
                    [(f"topk(10, foresail_margin_ratio{{{WORKLOAD}}})", "{{namespace}}/{{name}}")],
                    low=0,
                ),
                Panel(
                    "Risk of the plans",
                    "Share of time that our own plans would have been short, over the last weeks.",
                    [(f'topk(10, foresail_risk_realised_ratio{{of="plan", {WORKLOAD}}})', "{{namespace}}/{{name}}")],
                    unit="percentunit",
                    low=0,
                ),
            ],
        ),
        (
            "Faults",
            [
                Panel(
                    "Forecasters that failed",
                    "In the newest tick; the others serve.",
                    [("foresail_models_quarantined", "quarantined")],
                    low=0,
                ),
                Panel(
                    "Detector of anomalies",
                    "1 while it judges, 0 while it fails or is off; absent without one.",
                    [("foresail_anomaly_detector_up", "{{detector}}")],
                    kind="state-timeline",
                ),
            ],
        ),
    ],
)
