"""What kwok does to nodes and pods, with the times that a test wants; the text for `Settings.kwok_config`.

After the stages `pod/fast`, `node/fast` and `node/heartbeat` of kwok's own, less what no test here needs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

RESTART_MS = 500

NOW = "{{ $now := Now | Quote }}"
POD = """
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
podIP: {{ PodIPWith .spec.nodeName false .metadata.uid .metadata.name .metadata.namespace | Quote }}
phase: Running
startTime: {{ or .status.startTime Now | Quote }}
conditions:
- {type: Initialized, status: "True", lastTransitionTime: {{ $now }}}
"""
READY = f"""{NOW}{POD}
- {{type: Ready, status: "True", lastTransitionTime: {{{{ $now }}}}}}
- {{type: ContainersReady, status: "True", lastTransitionTime: {{{{ $now }}}}}}
containerStatuses:
{{{{ range .spec.containers }}}}
- name: {{{{ .name | Quote }}}}
  image: {{{{ .image | Quote }}}}
  ready: true
  started: true
  restartCount: 0
  state: {{running: {{startedAt: {{{{ $now }}}}}}}}
{{{{ end }}}}
"""
CRASHED = f"""{NOW}{POD}
- {{type: Ready, status: "False", reason: ContainersNotReady, lastTransitionTime: {{{{ $now }}}}}}
- {{type: ContainersReady, status: "False", reason: ContainersNotReady, lastTransitionTime: {{{{ $now }}}}}}
containerStatuses:
{{{{ $status := .status }}}}
{{{{ range $index, $item := .spec.containers }}}}
- name: {{{{ $item.name | Quote }}}}
  image: {{{{ $item.image | Quote }}}}
  ready: false
  started: false
  restartCount: {{{{ if $status.containerStatuses }}}}
    {{{{- add (index $status.containerStatuses $index).restartCount 1 }}}}{{{{ else }}}}0{{{{ end }}}}
  state: {{waiting: {{reason: CrashLoopBackOff}}}}
  lastState: {{terminated: {{reason: Error, exitCode: 1, finishedAt: {{{{ $now }}}}, startedAt: {{{{ $now }}}}}}}}
{{{{ end }}}}
"""
NODE_READY = f"""{NOW}
phase: Running
conditions:
{{{{ range NodeConditions }}}}
- lastHeartbeatTime: {{{{ $now }}}}
  lastTransitionTime: {{{{ $now }}}}
  message: {{{{ .message | Quote }}}}
  reason: {{{{ .reason | Quote }}}}
  status: {{{{ .status | Quote }}}}
  type: {{{{ .type | Quote }}}}
{{{{ end }}}}
{{{{ range $room := (list "allocatable" "capacity") }}}}
{{{{ $room }}}}:
{{{{ with index $.status $room }}}}
{{{{ YAML . 1 }}}}
{{{{ else }}}}
  cpu: 1k
  memory: 1Ti
  pods: 1M
{{{{ end }}}}
{{{{ end }}}}
"""


def stages(ready_after_ms: int, jitter_ms: int = 0, failing: str | None = None) -> str:
    """Pods are Ready between `ready_after_ms` and `jitter_ms` later, counted from their placing on a node.

    Pods with the label `failing=true` never are: their containers crash, twice a second for as long as they live.
    """
    label = f'.metadata.labels["{failing}"]'
    alive = _key(".metadata.deletionTimestamp", "DoesNotExist")
    new, seen = _key(".status.podIP", "DoesNotExist"), _key(".status.podIP", "Exists")
    sound = [_key(label, "NotIn", "true")] if failing else []
    made = [
        _stage("node-ready", "Node", [_key(NODE_STATE, "NotIn", "True")], NODE_READY),
        _stage("node-heartbeat", "Node", [_key(NODE_STATE, "In", "True")], NODE_READY, 10_000, 5_000),
        _stage("pod-ready", "Pod", [alive, new, *sound], READY, ready_after_ms, jitter_ms),
        _stage("pod-delete", "Pod", [_key(".metadata.deletionTimestamp", "Exists")], None),
    ]
    if failing:
        bad = _key(label, "In", "true")
        made.append(_stage("pod-crashes", "Pod", [alive, new, bad], CRASHED))
        made.append(_stage("pod-crashes-again", "Pod", [alive, seen, bad], CRASHED, RESTART_MS))
    return "\n---\n".join(json.dumps(stage) for stage in made)


NODE_STATE = '.status.conditions.[] | select( .type == "Ready" ) | .status'


def _key(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


def _stage(
    name: str, kind: str, match: Sequence[dict[str, Any]], status: str | None, delay_ms: int = 0, jitter_ms: int = 0
) -> dict[str, Any]:
    """`status` None is the end of the object. kwok's jitter is the upper end of the delay, not what comes on top."""
    leaving = {"finalizers": {"empty": True}, "delete": True}
    spec: dict[str, Any] = {
        "resourceRef": {"apiGroup": "v1", "kind": kind},
        "selector": {"matchExpressions": list(match)},
        "next": leaving if status is None else {"statusTemplate": status},
    }
    if delay_ms:
        spec["delay"] = {"durationMilliseconds": delay_ms, "jitterDurationMilliseconds": delay_ms + jitter_ms}
    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": {"name": name}, "spec": spec}
