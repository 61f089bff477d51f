"""`foresail anomalies list`, `show` and `label`: what the record holds of incidents."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from autoscaler.adapters.store.incidents import Listed, StoredIncidents
from autoscaler.cli.cluster_choice import DEFAULT_STORE
from autoscaler.cli.inputs import folder_of, output_kind, seconds
from autoscaler.cli.screen import screen
from autoscaler.domain.errors import Refused
from autoscaler.domain.feedback import calibrations
from autoscaler.domain.incident import Feedback, Label
from autoscaler.domain.sparkline import sparkline
from autoscaler.reporting.anomaly_words import act_of, lasted, stamp, told

if TYPE_CHECKING:
    from rich.console import Console

    from autoscaler.domain.incident import Incident, Trail

WIDTH: Final = 72
MOST_NOTE: Final = 500


def list_incidents(store: Path, since: str, output: str, *, only_open: bool) -> None:
    output_kind(output)
    now_s = time.time()
    back_s = seconds("--since", since, least=1.0, most=math.inf)
    with_all = _opened(store)
    every = with_all.listed(most=5000)
    with_all.close()
    found = [
        each for each in every
        if not each.incident.merged_into and (each.incident.open or (not only_open and _end_s(each) >= now_s - back_s))
    ]  # fmt: skip
    said = [(each.incident, each.feedback) for each in every if each.feedback is not None]
    moved = {name: one for name, one in calibrations(said, now_s).items() if one.words}
    if output == "json":
        plain = [_plain(each, scaled=_scaled(each.incident)) for each in found]
        calibrated = {name: {"factor": one.factor, "real": one.real, "false": one.false} for name, one in moved.items()}
        print(json.dumps({"incidents": plain, "calibration": calibrated}, indent=2, ensure_ascii=False))  # noqa: T201
    else:
        _table(found, now_s)
        for name, one in sorted(moved.items()):
            screen().print(f"{name}: {one.words}", markup=False, highlight=False)
    if any(each.incident.open for each in found):
        raise SystemExit(1)


def show_incident(key: str, store: Path, out: Path | None, output: str) -> None:
    output_kind(output)
    if out is not None:
        if out.suffix.lower() != ".png":
            raise Refused(f"--out {out}: the picture is a PNG; name a file such as incident.png")
        folder_of("--out", out)
    record = _opened(store)
    found = record.one(key)
    record.close()
    if output == "json":
        print(json.dumps(_plain(found, scaled=_scaled(found.incident)), indent=2, ensure_ascii=False))  # noqa: T201
    else:
        tell(screen(), found.incident, scaled=_scaled(found.incident), store=store)
        if found.feedback is not None:
            note = f": {found.feedback.note}" if found.feedback.note else ""
            screen().print(f"labelled {found.feedback.label} at {stamp(found.feedback.at_s)}{note}", markup=False)
    if out is not None:  # last: what has no course to draw is told all the same
        from autoscaler.reporting.anomaly_picture import draw_incident

        draw_incident(out, found.incident)
        if output != "json":
            screen().print(f"picture: {out}", markup=False)


def label_incident(key: str, said: str, store: Path, note: str) -> None:
    if said not in {each.value for each in Label}:
        raise Refused(f"{said!r} is no label; say real or false")
    if len(note) > MOST_NOTE or any(not c.isprintable() for c in note):
        raise Refused(f"--note: one line of at most {MOST_NOTE} printable characters")
    record = _opened(store)
    found, now_s = record.one(key), time.time()
    record.say(Feedback(found.incident.id, Label(said), note, now_s))
    every = record.listed(most=5000)
    record.close()
    name = found.incident.workloads[0]
    one = calibrations([(e.incident, e.feedback) for e in every if e.feedback is not None], now_s).get(name)
    words = "it is of several workloads, so none is calibrated by it" if one is None else f"{name}: {one.words}"
    screen().print(f"{found.incident.id} is labelled {said}; {words}", markup=False, highlight=False)


def tell(console: Console, incident: Incident, *, scaled: bool = True, store: Path | None = DEFAULT_STORE) -> None:
    """All of one incident, for people. store: the record that commands about it have to name; None = there is none."""

    def say(words: str, style: str | None = None) -> None:
        console.print(words, style=style, markup=False, highlight=False, soft_wrap=True)

    now_s = time.time()
    state = f"open for {lasted(incident, now_s)}" if incident.open else f"resolved after {lasted(incident, now_s)}"
    say(f"{incident.id}  {incident.title}", "bold")
    rate = (
        f", as odd as that {incident.rate_per_week:.2g} times a week"
        if incident.rate_per_week == incident.rate_per_week
        else ""
    )
    say(f"{state}, since {stamp(incident.opened_s)}; severity {incident.severity:.2f}{rate}", "dim")
    say(f"why: {incident.rule.words or 'no rule explains it'}")
    for each in incident.evidence:
        say(f"  {each.words}" if each.workload == incident.workloads[0] else f"  {each.workload}: {each.words}")
    for trail in incident.trails:
        _drawn(say, trail, incident)
    act = act_of(incident, scaled=scaled)
    say(f"what may be done: {act.words}")
    if store is None and not scaled:
        say("  with --store FILE it is kept, and can be shown and labelled", "dim")
        return
    named = f" --store {store}" if not scaled and store != DEFAULT_STORE else ""
    say(f"  {act.command}{named}", "cyan")


def _drawn(say: Any, trail: Trail, incident: Incident) -> None:
    """Observed above expected, at one scale, and where the incident lies."""
    observed, expected = list(trail.observed), list(trail.expected)
    top = max((v for v in (*observed, *expected) if math.isfinite(v)), default=0.0)
    width = min(WIDTH, len(observed))
    if not width or top <= 0:
        return
    say(
        f"{trail.metric}, {trail.step_s * len(observed) / 60:.0f} minutes from {stamp(trail.first_step * trail.step_s)}"
    )
    say(f"  observed {sparkline([*observed], width, top=top)}")
    say(f"  expected {sparkline([*expected], width, top=top)}", "dim")
    end_s = math.inf if incident.resolved_s is None else incident.resolved_s
    cells = [
        "▔"
        if incident.opened_s <= (trail.first_step + (k + 1) * len(observed) / width) * trail.step_s <= end_s
        else " "
        for k in range(width)
    ]
    say(f"           {''.join(cells)}")


def _opened(store: Path) -> StoredIncidents:
    return StoredIncidents.of_a_service(store)


def _end_s(each: Listed) -> float:
    return each.incident.updated_s if each.incident.resolved_s is None else each.incident.resolved_s


def _scaled(incident: Incident) -> bool:
    """Whether its workloads are PredictiveAutoscalers, not groups that are watched only."""
    return not incident.workloads[0].startswith("watch/")


def _plain(each: Listed, *, scaled: bool) -> dict[str, Any]:
    said = each.feedback
    label = None if said is None else {"label": said.label.value, "note": said.note, "at": stamp(said.at_s)}
    return told(each.incident, scaled=scaled) | {"feedback": label}


def _table(found: list[Listed], now_s: float) -> None:
    from rich.table import Table

    if not found:
        screen().print("no incidents", markup=False)
        return
    table = Table(box=None, pad_edge=False)
    for name in ("ID", "STATE", "CAUSE", "WHERE", "SEVERITY", "SINCE", "LASTED", "LABEL"):
        table.add_column(name, justify="right" if name in {"SEVERITY", "LASTED"} else "left", no_wrap=True)
    for each in found:
        one = each.incident
        cause = "-" if one.cause is None else one.cause.value
        label = "" if each.feedback is None else each.feedback.label.value
        state = "Open" if one.open else "Resolved"
        table.add_row(
            one.id, state, cause, one.where, f"{one.severity:.2f}", stamp(one.opened_s), lasted(one, now_s), label
        )
    screen().print(table)
