"""Who keeps setting our field back: after a few times we stop, for a fight helps nobody."""

from __future__ import annotations

from dataclasses import dataclass, field

WINDOW_S = 600.0
MOST_REVERTS = 3
REST_S = 3600.0


@dataclass(slots=True)
class Reverts:
    """Per object (by uid): when another manager undid what we had written. Times in seconds of the service's clock."""

    _times: dict[str, list[float]] = field(default_factory=dict)
    _marks: dict[str, str] = field(default_factory=dict)
    _stopped: dict[str, tuple[float, str]] = field(default_factory=dict)

    def note(self, uid: str, mark: str, who: str, now_s: float) -> None:
        """mark: tells one change of theirs from the next, so that one that stays is counted once."""
        if self._marks.get(uid) == mark:
            return
        self._marks[uid] = mark
        times = [t for t in self._times.get(uid, []) if now_s - t < WINDOW_S]
        self._times[uid] = [*times, now_s]
        if len(self._times[uid]) >= MOST_REVERTS:
            self._stopped[uid] = (now_s, who)

    def stopped(self, uid: str, now_s: float) -> str | None:
        """Who it was, while we keep off: for an hour after the last time."""
        told = self._stopped.get(uid)
        if told is None:
            return None
        at_s, who = told
        if now_s - at_s < REST_S:
            return who
        del self._stopped[uid]
        self._times.pop(uid, None)
        return None

    def forget_all_but(self, uids: set[str]) -> None:
        for memory in (self._times, self._marks, self._stopped):
            for uid in memory.keys() - uids:
                del memory[uid]


def ignore_rule(kind: str, field_path: str, group: str) -> str:
    """What to tell Argo CD and Flux, exactly."""
    pointer = "/" + field_path.replace(".", "/")
    return (
        f"Argo CD: spec.ignoreDifferences: [{{group: {group}, kind: {kind}, jsonPointers: [{pointer}]}}] with "
        f"spec.syncPolicy.syncOptions: [RespectIgnoreDifferences=true]; Flux: leave {field_path} out of the manifest "
        f"(a HelmRelease: spec.driftDetection.ignore: [{{paths: [{pointer}], target: {{kind: {kind}}}}}])"
    )
