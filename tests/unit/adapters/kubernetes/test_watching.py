"""The copy of a kind: what it does with each thing that a server may say or leave unsaid."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.watching import KindCache


def thing(name: str, generation: int = 1, version: int = 1, **meta: Any) -> dict[str, Any]:
    told = {"name": name, "uid": f"u-{name}", "generation": generation, "resourceVersion": str(version)}
    return {"metadata": {"namespace": "shop", **told, **meta}, "spec": {"of": name}}


def event(kind: str, of: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": of}


GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}


class Scripted:
    """A server that tells what the test says: lists and watches in turn, then a watch that stays silent."""

    def __init__(self, lists: list[Any], watches: list[Any]) -> None:
        self.lists, self.watches = list(lists), list(watches)
        self.asked: list[dict[str, str]] = []
        self.open = True

    def get(self, path: str, **query: str) -> Any:
        told = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        if isinstance(told, ApiFault):
            raise told
        return {"metadata": {"resourceVersion": "10"}, "items": told}

    def stream(self, path: str, query: dict[str, str], quiet_s: float) -> _Events:
        self.asked.append(dict(query))
        told = self.watches.pop(0) if self.watches else None
        if isinstance(told, ApiFault):
            raise told
        return _Events(self, told)


class _Events:
    def __init__(self, server: Scripted, told: list[Any] | None) -> None:
        self.server, self.told = server, told

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for one in self.told or ():
            if isinstance(one, ApiFault):
                raise one
            yield one
        while self.told is None and self.server.open:
            time.sleep(0.005)

    def close(self) -> None:
        if self.told is None:
            self.server.open = False


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., KindCache]]:
    monkeypatch.setattr("autoscaler.adapters.kubernetes.watching.FIRST_WAIT_S", 0.01)
    started: list[KindCache] = []

    def start(server: Scripted) -> KindCache:
        cache = KindCache(server, "/apis/x/v1/things")  # type: ignore[arg-type]
        cache.start()
        started.append(cache)
        return cache

    yield start
    for one in started:
        one.stop()
        assert one._thread is not None
        assert not one._thread.is_alive(), "a stopped watch ends"


def until(ask: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not ask():
        assert time.monotonic() < end
        time.sleep(0.005)


def names(cache: KindCache) -> list[str]:
    return [t["metadata"]["name"] for t in cache.objects()]


def test_what_comes_changes_and_goes_is_followed_from_the_version_of_the_list(running):
    server = Scripted(
        [[thing("a"), thing("b")]],
        [[event("ADDED", thing("c", version=11)), event("DELETED", thing("a", version=12))], None],
    )
    cache = running(server)
    until(lambda: names(cache) == ["b", "c"])
    until(lambda: len(server.asked) == 2)
    assert [asked["resourceVersion"] for asked in server.asked] == ["10", "12"], "resumed where it ended"
    assert server.asked[0]["allowWatchBookmarks"] == "true"
    assert cache.lists == 1


def test_K15_a_status_or_a_bookmark_is_no_revision_a_spec_and_a_label_are(running):
    server = Scripted(
        [[thing("a")]],
        [
            [
                event("MODIFIED", thing("a", version=11) | {"status": {"state": "Active"}}),
                event("BOOKMARK", thing("", 1, 12)),
            ]
        ],
    )
    cache = running(server)
    until(lambda: len(server.asked) == 2)
    assert cache.revision == 1
    assert cache.objects()[0]["status"] == {"state": "Active"}, "it is kept, as whoever writes statuses compares"
    cache._take(event("MODIFIED", thing("a", 1, 13, labels={"tier": "web"})))
    cache._take(event("MODIFIED", thing("a", 2, 14, labels={"tier": "web"})))
    assert cache.revision == 3


@pytest.mark.parametrize("how", ["as an event", "as an answer"])
def test_K08_a_version_that_is_gone_means_a_list_and_no_missed_delete(running, how):
    first: Any = [GONE] if how == "as an event" else ApiFault(410, "gone")
    server = Scripted([[thing("a"), thing("b")], [thing("b")]], [first, None])
    cache = running(server)
    until(lambda: cache.lists == 2)
    assert names(cache) == ["b"]


def test_K08_closed_at_once_again_and_again_is_taken_for_a_version_that_is_gone_and_is_no_hot_loop(running):
    server = Scripted([[thing("a")], []], [[], [], [], None])
    cache = running(server)
    until(lambda: cache.lists == 2)
    assert names(cache) == []
    assert len(server.asked) <= 4


def test_K06_what_was_read_stays_through_an_outage_and_the_fault_is_told(running):
    server = Scripted([[thing("a")], ApiFault(None, "no answer: refused")], [ApiFault(410, "gone")])
    cache = running(server)
    until(lambda: cache.fault is not None and "refused" in str(cache.fault))
    assert names(cache) == ["a"]
    assert cache.synced


def test_K20_a_right_that_is_missing_is_told_in_the_servers_words_and_nothing_counts_as_read(running):
    server = Scripted([ApiFault(403, 'User "x" cannot list resource "guardpolicies"')], [])
    cache = running(server)
    until(lambda: cache.fault is not None)
    assert not cache.synced
    assert "cannot list" in str(cache.fault)


def test_an_object_that_is_being_deleted_is_gone_and_one_made_anew_under_its_name_is_another(running):
    server = Scripted([[thing("a")]], [None])
    cache = running(server)
    until(lambda: cache.synced)
    cache._take(event("MODIFIED", thing("a", 1, 11, deletionTimestamp="2026-01-01T00:00:00Z")))
    assert names(cache) == []
    assert cache.revision == 2
    cache._take(event("ADDED", thing("a", 1, 12, uid="other")))
    assert [t["metadata"]["uid"] for t in cache.objects()] == ["other"]


def test_an_event_that_is_not_built_as_we_think_ends_nothing(running):
    server = Scripted(
        [[thing("a")]], [[{"type": "ADDED", "object": {}}], [event("ADDED", thing("b", version=11))], None]
    )
    cache = running(server)
    until(lambda: names(cache) == ["a", "b"])
