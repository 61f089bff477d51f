"""What is looked at of the HPA under a floor: whether it works, whether its behaviour fights, whether it has room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.adapters.kubernetes.claims import HPA
from autoscaler.adapters.kubernetes.views import LaneView
from autoscaler.bootstrap.checkup.asking import Notes, span_text
from autoscaler.domain.workload import Workload

Thing = Mapping[str, Any]
LONG_WINDOW_S = 1800


def look_at_hpa(notes: Notes, hpa: Thing) -> None:
    """hpa: the one that moves the target, KEDA's own included."""
    name = f"HPA {hpa['metadata']['name']}"
    _conditions(notes, name, hpa)
    behavior = hpa["spec"].get("behavior") or {}
    up, down = behavior.get("scaleUp") or {}, behavior.get("scaleDown") or {}
    before = len(notes.found)
    if up.get("selectPolicy") == "Disabled":
        words = f"{name} never scales up by itself (behavior.scaleUp.selectPolicy: Disabled)"
        words += ": nothing reacts to load above our forecast's floor"
        notes.warn("behavior", words, "set it to Max: the floor is made to have a reactive HPA above it")
    if down.get("selectPolicy") == "Disabled":
        words = f"{name} never scales down (behavior.scaleDown.selectPolicy: Disabled)"
        words += ": replicas that a floor has raised stay for ever"
        notes.warn("behavior", words, "set it to Max; how slowly it goes down is said by policies")
    elif (window_s := down.get("stabilizationWindowSeconds") or 0) > LONG_WINDOW_S:
        words = f"{name} keeps what its own metrics wanted for {span_text(window_s)} after each peak"
        words += " (behavior.scaleDown.stabilizationWindowSeconds): a floor that goes down earlier saves nothing"
        notes.warn("behavior", words, f"5 min is the default, {LONG_WINDOW_S // 60} min is long")
    if len(notes.found) == before:
        notes.ok("behavior", f"nothing in the behaviour of {name} fights a floor")


def _conditions(notes: Notes, name: str, hpa: Thing) -> None:
    """What the HPA controller said at its last round; before its first there is nothing."""
    told = {c.get("type"): c for c in hpa.get("status", {}).get("conditions") or []}
    able, active, limited = (told.get(kind) or {} for kind in ("AbleToScale", "ScalingActive", "ScalingLimited"))
    if not told:
        notes.note("metrics", f"the HPA controller has not looked at {name} yet", "ask again in half a minute")
    elif able.get("status") == "False":
        notes.fail("metrics", f"{name} cannot scale ({able.get('reason')}: {_said(able)})", "mend what it says")
    elif active.get("reason") == "ScalingDisabled":
        words = f"{name} stands down while its target has no replicas: no floor raises it"
        notes.warn("metrics", words, "scale it to one by hand; from there on the floor holds")
    elif active.get("status") == "False":
        words = f"{name} has no metric that works ({active.get('reason')}: {_said(active)})"
        words += ": it reacts to nothing above the floor and never shrinks"
        notes.fail("metrics", words, "mend its metrics: requests of the containers, metrics-server, or the adapter")
    else:
        notes.ok("metrics", f"{name} has metrics and scales")
    if limited.get("status") == "True" and limited.get("reason") == "TooManyReplicas":
        words = f"{name} wants more replicas now than its maxReplicas {hpa['spec'].get('maxReplicas')} allows"
        notes.warn("limits", words, "raise maxReplicas, and replicas.max with it, or give a replica more to serve with")


def look_at_limits(notes: Notes, load: Workload, view: LaneView) -> None:
    """Our limits beside those of the object that carries the floor."""
    if view.floor_field is None or view.holder is None:
        return
    field = view.floor_field
    kind = "HPA" if field is HPA else field.kind
    name, most = f"{kind} {view.holder['metadata']['name']}", field.max_of(view.holder)
    room = f"{name} has {field.greatest} {most}, so our floor ends at {view.ceiling}"
    before = len(notes.found)
    if view.ceiling <= view.own_floor:
        words = (
            f"{name} has {field.least} {view.own_floor} and {field.greatest} {most}: that leaves no room for a floor"
        )
        notes.fail("limits", words, f"raise {field.greatest}, or lower {field.least} to what is needed at night")
    elif load.min_replicas > view.ceiling:
        words = f"replicas.min {load.min_replicas} cannot be kept: {room}"
        notes.fail("limits", words, f"raise {field.greatest}, or lower replicas.min")
    elif view.own_floor > load.max_replicas:
        words = f"{name} itself has {field.least} {view.own_floor}, above replicas.max {load.max_replicas}"
        notes.fail("limits", f"{words}: our limit cannot be kept", f"lower {field.least}, or raise replicas.max")
    elif most < load.max_replicas:
        words = f"replicas.max {load.max_replicas} cannot be reached: {room}"
        notes.warn("limits", words, f"raise {field.greatest} to {load.max_replicas} or more, or lower replicas.max")
    if len(notes.found) == before:
        words = f"{name} has [{view.own_floor}, {most}], we [{load.min_replicas}, {load.max_replicas}]"
        notes.ok("limits", f"{words}: our floor can go up to {min(view.ceiling, load.max_replicas)}")


def _said(condition: Thing) -> str:
    return str(condition.get("message"))[:300].rstrip(".")
