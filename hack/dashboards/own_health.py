"""How Foresail itself is."""

from __future__ import annotations

from hack.dashboards.grafana import ALARM, BAD, GOOD, RATE, Dashboard, Panel

TICK = "foresail_tick_duration_seconds_bucket"
HEALTH = Dashboard(
    "foresail-own-health",
    "Foresail / Own health",
    "Whether Foresail itself ticks in time, leads, sees its sources and is heard.",
    "operator.md#metrics",
    [
        (
            "Now",
            [
                Panel(
                    "Leaders",
                    "Processes that may write: exactly one, but for a moment at a take-over.",
                    [("sum(foresail_leader)", "leaders")],
                    kind="stat",
                    width=4,
                    height=4,
                    steps=GOOD,
                ),
                Panel(
                    "Since the last tick",
                    "Of the process that is furthest behind.",
                    [("max(time() - foresail_last_tick_timestamp_seconds)", "age")],
                    unit="s",
                    kind="stat",
                    width=4,
                    height=4,
                    steps=((None, "green"), (60, "red")),
                ),
                Panel(
                    "Broken specs",
                    "Problems in the files or objects in force.",
                    [("max(foresail_spec_problems)", "problems")],
                    kind="stat",
                    width=4,
                    height=4,
                    steps=ALARM,
                ),
                Panel(
                    "Sources without an answer",
                    "Metrics sources and series that give no data now.",
                    [("max(foresail_source_errors)", "errors")],
                    kind="stat",
                    width=4,
                    height=4,
                    steps=BAD,
                ),
                Panel(
                    "Lost records",
                    "Ticks lost to the record since the start.",
                    [("max(foresail_records_dropped)", "ticks")],
                    kind="stat",
                    width=4,
                    height=4,
                    steps=BAD,
                ),
                Panel(
                    "Lost notifications",
                    "Changes of alerts that a destination will never hear of.",
                    [("sum(foresail_notifications_dropped_total) or vector(0)", "dropped")],
                    kind="stat",
                    width=4,
                    height=4,
                    steps=BAD,
                ),
            ],
        ),
        (
            "Ticks",
            [
                Panel(
                    "Ticks",
                    "By result.",
                    [(f"sum by (result) (rate(foresail_ticks_total[{RATE}]))", "{{result}}")],
                    unit="ops",
                    low=0,
                ),
                Panel(
                    "Time of a tick",
                    "Median and slow ones.",
                    [
                        (
                            f"histogram_quantile({q}, sum by (le) (rate({TICK}[{RATE}])))",
                            f"p{round(q * 100)}",
                        )
                        for q in (0.5, 0.95, 0.99)
                    ],
                    unit="s",
                    low=0,
                ),
            ],
        ),
        (
            "Sources",
            [
                Panel("Up", "1 while a source answers.", [("foresail_source_up", "{{source}}")], kind="state-timeline"),
                Panel(
                    "Queries without a usable answer",
                    "By source and verdict.",
                    [
                        (
                            f"sum by (source, verdict) (rate(foresail_source_query_failures_total[{RATE}]))",
                            "{{source}} {{verdict}}",
                        )
                    ],
                    unit="ops",
                    low=0,
                ),
                Panel(
                    "Queries",
                    "Asked, by source.",
                    [(f"sum by (source) (rate(foresail_source_queries_total[{RATE}]))", "{{source}}")],
                    unit="ops",
                    low=0,
                ),
                Panel(
                    "Clocks",
                    "Of each source less ours; over 30 s is wrong.",
                    [("foresail_source_clock_skew_seconds", "{{source}}"), ("foresail_clock_skew_seconds", "agreed")],
                    unit="s",
                ),
                Panel(
                    "History still to come",
                    "Requests to be made, and demands whose history was not answered.",
                    [
                        ("foresail_backfill_remaining_requests", "requests"),
                        ("foresail_backfill_failing_demands", "failing"),
                    ],
                    low=0,
                ),
            ],
        ),
        (
            "Cluster",
            [
                Panel(
                    "Leader",
                    "1 while the process may write.",
                    [("foresail_leader", "{{instance}}")],
                    kind="state-timeline",
                ),
                Panel(
                    "Silence of watches",
                    "Since the API server last spoke; past 180 s nothing is written by it.",
                    [("max by (path) (foresail_watch_silent_seconds)", "{{path}}")],
                    unit="s",
                    low=0,
                ),
                Panel(
                    "Objects", "Read by each watch.", [("max by (path) (foresail_watch_objects)", "{{path}}")], low=0
                ),
                Panel(
                    "Statuses and events",
                    "Told to the cluster, by result.",
                    [
                        (f"sum by (result) (rate(foresail_status_writes_total[{RATE}]))", "status {{result}}"),
                        (f"sum by (result) (rate(foresail_events_total[{RATE}]))", "event {{result}}"),
                    ],
                    unit="ops",
                    low=0,
                ),
            ],
        ),
        (
            "Alerts and process",
            [
                Panel(
                    "Alerts that last",
                    "By name.",
                    [("sum by (alertname) (foresail_alerts_open)", "{{alertname}}")],
                    low=0,
                ),
                Panel(
                    "Notifications",
                    "Waiting, and sendings by result.",
                    [
                        ("foresail_notifications_waiting", "{{destination}} waiting"),
                        (
                            f"sum by (destination, result) (rate(foresail_notifications_total[{RATE}]))",
                            "{{destination}} {{result}}",
                        ),
                    ],
                    low=0,
                ),
                Panel("Memory", "Resident.", [("process_resident_memory_bytes", "{{instance}}")], unit="bytes", low=0),
                Panel(
                    "Processor", "Cores in use.", [(f"rate(process_cpu_seconds_total[{RATE}])", "{{instance}}")], low=0
                ),
            ],
        ),
    ],
    variables=(),
)
