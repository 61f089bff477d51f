"""A copy of all objects of one kind, kept up by a list and a watch that nothing ends but `stop`.

What was read last stays in force through every fault; how long ago the server last spoke is told, so that whoever
acts on the copy can refuse one that is too old. Source of the protocol: Kubernetes API concepts, "Efficient detection
of changes"; a watch that is closed again and again without a word is taken for a resourceVersion that is gone, as some
servers do not answer 410.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from autoscaler.adapters.kubernetes.connection import PAGE, Connection, Stream
from autoscaler.adapters.kubernetes.faults import ApiFault

log = logging.getLogger("foresail")

Thing = dict[str, Any]
QUIET_S = 90.0
"""Servers send a bookmark about every minute; a connection that is silent for longer is dead."""
ROTATE_S = 300.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
MOST_EMPTY = 3
HEAVY = ("managedFields",)
"""Parts of metadata that nobody here reads: most of an object's size."""


def _lean(thing: Thing) -> Thing:
    meta = {k: v for k, v in thing["metadata"].items() if k not in HEAVY}
    return thing | {"metadata": meta}


@dataclass(slots=True)
class KindCache:
    """path: of the list, as /apis/GROUP/VERSION/PLURAL. Read from any thread; `run` belongs to one of its own.

    revision: changes when an object comes, goes, or says something else; not with a status. fault: why the newest
    attempt failed, None = it did not. lean: what is kept of an object.
    """

    connection: Connection
    path: str
    quiet_s: float = QUIET_S
    monotonic: Callable[[], float] = time.monotonic
    dice: random.Random = field(default_factory=random.Random)
    revision: int = 0
    synced: bool = False
    fault: ApiFault | None = None
    lean: Callable[[Thing], Thing] = _lean
    lists: int = 0
    _objects: dict[str, Thing] = field(default_factory=dict)
    _heard_s: float = float("-inf")
    _version: str = ""
    _told: bool = False
    _stream: Stream | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None

    # for readers

    def objects(self) -> tuple[Thing, ...]:
        """All that are not being deleted, by namespace and name."""
        with self._lock:
            living = [t for t in self._objects.values() if "deletionTimestamp" not in t["metadata"]]
        return tuple(sorted(living, key=_name))

    def by_namespace(self) -> dict[str, list[Thing]]:
        """The same, in no order."""
        with self._lock:
            things = tuple(self._objects.values())
        found: dict[str, list[Thing]] = {}
        for thing in things:
            if "deletionTimestamp" not in thing["metadata"]:
                found.setdefault(thing["metadata"].get("namespace", ""), []).append(thing)
        return found

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._objects)

    @property
    def silent_s(self) -> float:
        """Seconds since the server last told something about this kind."""
        return self.monotonic() - self._heard_s

    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        name = f"foresail-watch-{self.path.rpartition('/')[2]}"
        self._thread = threading.Thread(target=self.run, name=name, daemon=True)
        self._thread.start()

    def stop(self, within_s: float = 2.0) -> None:
        self._stop.set()
        stream = self._stream
        if stream is not None:
            stream.close()
        if self._thread is not None:
            self._thread.join(within_s)

    # the thread

    def run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            self._told = False
            try:
                if not self._version:
                    self._list()
                self._watch()
            except ApiFault as fault:
                if fault.status == 410:
                    self._version = ""
                failures = 1 if self._told else failures + 1
                self._say(fault)
                self._rest(failures, fault.retry_after_s)
            except Exception as error:
                failures += 1
                log.exception("watch_failed path=%s", self.path)
                self._say(ApiFault(None, f"{type(error).__name__}: {error}"))
                self._rest(failures, None)
            else:
                failures = 0 if self._told else failures + 1
                if failures >= MOST_EMPTY:
                    self._version = ""
                if failures:
                    self._rest(failures, None)

    def _list(self) -> None:
        """Everything, from one moment. ApiFault 410 when that moment is gone before its last page."""
        found: dict[str, Thing] = {}
        asked = {"limit": str(PAGE)}
        while True:
            page = self.connection.get(self.path, **asked)
            for thing in page.get("items") or []:
                found[thing["metadata"]["uid"]] = self.lean(thing)
            meta = page["metadata"]
            if not meta.get("continue"):
                break
            asked["continue"] = meta["continue"]
        with self._lock:
            changed = {u: _mark(t) for u, t in found.items()} != {u: _mark(t) for u, t in self._objects.items()}
            self._objects = found
            self.revision += changed or not self.synced
            self.synced = True
        self.lists += 1
        self._version = str(meta["resourceVersion"])
        self._hear()

    def _watch(self) -> None:
        """Until the server ends it. ApiFault when it broke."""
        query = {
            "watch": "1", "allowWatchBookmarks": "true", "resourceVersion": self._version,
            "timeoutSeconds": str(int(ROTATE_S * self.dice.uniform(1.0, 1.5))),
        }  # fmt: skip
        self._stream = self.connection.stream(self.path, query, self.quiet_s)
        try:
            if self._stop.is_set():
                return
            self._hear()
            for event in self._stream:
                self._take(event)
                self._hear()
                self._told = True
        finally:
            self._stream.close()
            self._stream = None

    def _take(self, event: Mapping[str, Any]) -> None:
        kind, thing = event["type"], event["object"]
        if kind == "ERROR":
            raise ApiFault(thing.get("code"), str(thing.get("message") or "the watch ended with an error"))
        meta = thing["metadata"]
        if kind != "BOOKMARK":
            with self._lock:
                before = self._objects.get(meta["uid"])
                if kind == "DELETED":
                    self._objects.pop(meta["uid"], None)
                    self.revision += before is not None
                else:
                    self._objects[meta["uid"]] = self.lean(thing)
                    self.revision += before is None or _mark(before) != _mark(thing)
        self._version = str(meta["resourceVersion"])

    def _hear(self) -> None:
        if self.fault is not None:
            log.info("watch_again path=%s", self.path)
        self.fault, self._heard_s = None, self.monotonic()

    def _say(self, fault: ApiFault) -> None:
        if self._stop.is_set():
            return
        if fault.status != 410 and (self.fault is None or self.fault.status != fault.status):
            log.warning("watch_fault path=%s: %s", self.path, fault)
        self.fault = fault

    def _rest(self, failures: int, at_least_s: float | None) -> None:
        """Twice as long after every failure, each by chance, so that many do not come back at one moment."""
        longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(failures, 10))
        self._stop.wait(max(at_least_s or 0.0, self.dice.uniform(longest / 2, longest)))


def _mark(thing: Thing) -> tuple[Any, ...]:
    """What makes another object of it for us: its spec, its labels, its end; a status does not."""
    meta = thing["metadata"]
    return meta["uid"], meta.get("generation"), meta.get("labels") or {}, "deletionTimestamp" in meta


def _name(thing: Thing) -> tuple[str, str]:
    return thing["metadata"].get("namespace", ""), thing["metadata"]["name"]
