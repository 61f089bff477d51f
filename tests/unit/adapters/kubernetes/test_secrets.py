"""Secrets by name: read when needed, anew when refused, forgotten when gone. Rows S02, M19."""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass, field
from typing import Any

import pytest

from autoscaler.adapters.kubernetes.faults import ApiFault
from autoscaler.adapters.kubernetes.secrets import LEAST_AGAIN_S, SecretStore, SecretText
from autoscaler.domain.errors import Refused

KEY = ("prod", "token")


@dataclass
class Api:
    """What the API server has; a number is the status that it refuses with, None is no answer."""

    said: Any = b"first"
    asked: list[str] = field(default_factory=list)

    def get(self, path: str) -> dict[str, Any]:
        self.asked.append(path)
        if self.said is None or isinstance(self.said, int):
            raise ApiFault(self.said, "secrets is forbidden" if self.said == 403 else "no such thing")
        return {"data": {"token": base64.b64encode(self.said).decode()}}


@dataclass
class World:
    api: Api = field(default_factory=Api)
    now_s: float = 100.0
    wanted: set[tuple[str, str]] = field(default_factory=lambda: {KEY})

    def __post_init__(self) -> None:
        self.store = SecretStore(self.api, "foresail", lambda: self.wanted, monotonic=lambda: self.now_s)  # type: ignore[arg-type]


@pytest.fixture
def world():
    made = World()
    yield made
    made.store.stop()


def test_S02_it_is_read_by_its_name_in_the_operator_s_own_namespace_once(world):
    text = SecretText(world.store, KEY)
    assert [text.text(), text.text()] == ["first", "first"]
    assert world.api.asked == ["/api/v1/namespaces/foresail/secrets/prod"]


def test_M19_a_rotated_one_is_read_when_refused_and_within_a_minute(world):
    text = SecretText(world.store, KEY)
    text.text()
    world.api.said = b"second\n"
    assert text.again() == "first", "it was read a moment ago: refusals are no reason for a storm"
    world.now_s += LEAST_AGAIN_S
    assert text.again() == "second"
    world.api.said = b"third"
    world.store.look()
    assert text.text() == "third"


def test_an_outage_leaves_it_and_an_end_takes_it_away(world):
    text = SecretText(world.store, KEY)
    text.text()
    world.api.said = None
    world.store.look()
    assert text.text() == "first"
    for gone, words in ((404, "cannot be read"), (403, "not allowed to read Secret prod in foresail")):
        world.api.said = gone
        world.store.look()
        with pytest.raises(Refused, match=words):
            text.text()


def test_what_nobody_names_any_more_is_forgotten(world):
    world.store.text(KEY)
    world.wanted = set()
    world.store.look()
    asked = len(world.api.asked)
    world.store.look()
    assert len(world.api.asked) == asked


@pytest.mark.parametrize(("said", "words"), [(b"", "empty"), (b"a\nb", "more than one line"), (b"\xff\xfe", "no text")])
def test_what_is_no_line_of_text_is_said_and_not_shown(world, said, words):
    world.api.said = said
    with pytest.raises(Refused, match=words):
        SecretText(world.store, KEY).text()


def test_a_key_that_is_not_there_is_named(world):
    with pytest.raises(Refused, match=r"Secret prod in foresail has no key ca\.crt"):
        world.store.text(("prod", "ca.crt"))


def test_what_a_library_opens_as_a_file_follows(world, tmp_path):
    path = world.store.path(KEY)
    assert path.read_text() == "first"
    for newer in (b"longer than before", b"x"):
        world.api.said = newer
        world.store.look()
        assert path.read_bytes() == newer
    with pytest.raises(ssl.SSLError):
        ssl.create_default_context(cafile=str(path))
