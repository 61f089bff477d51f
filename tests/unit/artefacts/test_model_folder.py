"""A folder of models goes forward only, whatever is put into it; the last good one stays in force."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.adapters.artefacts import ModelFolder, read_artefact
from autoscaler.adapters.artefacts.in_force import InForce
from autoscaler.adapters.artefacts.keys import KeySigner, TrustedKeys, generate, public_path
from autoscaler.adapters.artefacts.promotions import Move
from autoscaler.domain.artefact import Arrays, BadArtefact, Expected, Fault, Manifest, Signature
from autoscaler.domain.errors import Refused

Told = Callable[..., Manifest]
GLOBAL = Expected(kind="trees", name="global")


def fault_of(call: Callable[..., object], *args: Any, **how: Any) -> Fault:
    with pytest.raises(BadArtefact) as caught:
        call(*args, **how)
    return caught.value.fault


def trouble_of(held: InForce) -> Fault | None:
    return None if held.trouble is None else held.trouble.fault


def generation_of(held: InForce) -> int | None:
    return None if held.artefact is None else held.artefact.manifest.generation


def test_published_promoted_and_in_force(models: ModelFolder, told: Told, arrays: Arrays, now: datetime) -> None:
    assert models.names() == ()
    assert models.publish(told(), arrays).generation == 1
    assert fault_of(models.in_force, GLOBAL, now) == Fault.MISSING
    made = models.promote("global", 1, by="jana", at=now)
    assert (made.move, made.before, made.by) == (Move.PROMOTED, None, "jana")
    assert models.publish(told(metrics={"wql": 0.3}), arrays).generation == 2
    artefact, faults = models.in_force(GLOBAL, now)
    assert (artefact.manifest.generation, faults) == (1, ())
    assert models.generations("global") == (1, 2)
    assert models.names() == ("global",)


def test_s07_an_older_generation_is_not_promoted(
    models: ModelFolder, told: Told, arrays: Arrays, now: datetime
) -> None:
    models.publish(told(), arrays)
    models.publish(told(), arrays)
    models.promote("global", 2, by="jana", at=now)
    with pytest.raises(BadArtefact, match=r"older than 2.*roll-back global --to 1") as caught:
        models.promote("global", 1, by="mallory", at=now)
    assert caught.value.fault == Fault.OLDER
    assert fault_of(models.promote, "global", 2, by="jana", at=now) == Fault.OLDER
    assert models.promoted("global") == 2
    assert len(models.history("global")) == 1


def test_s07_an_older_signed_one_in_a_newer_place_is_refused(
    models: ModelFolder, told: Told, arrays: Arrays, now: datetime, signer: KeySigner, trusted: TrustedKeys
) -> None:
    """Replay: generation 1 with its valid signature, copied to where 3 would be."""
    models = ModelFolder(models.root, trusted)
    for _ in range(2):
        models.publish(told(), arrays, signer=signer)
    models.promote("global", 2, by="jana", at=now)
    shutil.copytree(models.place("global", 1), models.place("global", 3))
    assert fault_of(models.promote, "global", 3, by="mallory", at=now) == Fault.IDENTITY
    place = models.place("global", 3) / "manifest.json"
    found = json.loads(place.read_text())
    found["generation"] = 3
    place.write_text(json.dumps(found))
    assert fault_of(models.promote, "global", 3, by="mallory", at=now) == Fault.WRONG_SIGNATURE
    artefact, faults = models.in_force(GLOBAL, now)
    assert (artefact.manifest.generation, faults) == (2, ())


def test_s07_unsigned_or_wrongly_signed_is_refused(
    models: ModelFolder,
    told: Told,
    arrays: Arrays,
    now: datetime,
    signer: KeySigner,
    trusted: TrustedKeys,
    tmp_path: Path,
) -> None:
    models = ModelFolder(models.root, trusted)
    generate(tmp_path / "other")
    stranger = KeySigner.from_file(tmp_path / "other")
    models.publish(told(), arrays, signer=signer)
    models.promote("global", 1, by="jana", at=now)
    models.publish(told(), arrays)
    assert fault_of(models.promote, "global", 2, by="jana", at=now) == Fault.UNSIGNED
    models.publish(told(), arrays, signer=stranger)
    assert fault_of(models.promote, "global", 3, by="jana", at=now) == Fault.WRONG_SIGNATURE

    class Impostor:
        """Says that it is the trusted key and signs with its own."""

        def sign(self, manifest: Manifest) -> Signature:
            return replace(stranger.sign(manifest), key=signer.id)

    models.publish(told(), arrays, signer=Impostor())
    assert fault_of(models.promote, "global", 4, by="jana", at=now) == Fault.WRONG_SIGNATURE
    for value in ("", "not base64!", "AAAA"):

        class Nonsense:
            def sign(self, manifest: Manifest, value: str = value) -> Signature:
                return Signature(signer.id, value)

        made = models.publish(told(), arrays, signer=Nonsense())
        assert fault_of(models.load, "global", made.generation, now) == Fault.WRONG_SIGNATURE
    assert models.in_force(GLOBAL, now)[0].manifest.generation == 1


@pytest.mark.parametrize(
    "field", ["metrics", "limits", "arrays", "files", "expires", "generation", "created", "versions"]
)
def test_a_signature_covers_every_field(
    field: str, models: ModelFolder, told: Told, arrays: Arrays, signer: KeySigner, trusted: TrustedKeys, now: datetime
) -> None:
    made = models.publish(told(), arrays, signer=signer)
    trusted.verify(made, "here")
    other = models.publish(told(), {"x": np.zeros(3)})
    changed: Any = {
        "metrics": {"wql": 0.1}, "limits": {}, "arrays": other.arrays, "files": other.files, "generation": 9,
        "expires": now + timedelta(days=900), "created": now + timedelta(seconds=1), "versions": {"features": "2"},
    }[field]  # fmt: skip
    assert fault_of(trusted.verify, replace(made, **{field: changed}), "here") == Fault.WRONG_SIGNATURE


def test_signing_later_keeps_everything_else(
    models: ModelFolder, told: Told, arrays: Arrays, signer: KeySigner, trusted: TrustedKeys, now: datetime
) -> None:
    made = models.publish(told(), arrays)
    signed = models.sign("global", 1, signer, now)
    assert replace(signed, signature=None) == made
    assert ModelFolder(models.root, trusted).load("global", 1, now).manifest == signed


def test_a_damaged_one_is_not_signed(
    models: ModelFolder, told: Told, arrays: Arrays, signer: KeySigner, now: datetime
) -> None:
    models.publish(told(), arrays)
    (models.place("global", 1) / "arrays.npz").write_bytes(b"x")
    assert fault_of(models.sign, "global", 1, signer, now) == Fault.DAMAGED


def test_a_roll_back_goes_back_with_a_reason_and_leaves_a_record(
    models: ModelFolder, told: Told, arrays: Arrays, now: datetime
) -> None:
    for generation in (1, 2, 3):
        models.publish(told(), arrays)
        models.promote("global", generation, by="jana", at=now)
    with pytest.raises(Refused, match="reason"):
        models.roll_back("global", by="petr", at=now, reason="  ")
    made = models.roll_back("global", by="petr", at=now, reason="shortages since noon")
    assert (made.move, made.generation, made.before, made.reason) == (Move.ROLLED_BACK, 2, 3, "shortages since noon")
    assert models.roll_back("global", by="petr", at=now, reason="still").generation == 1
    with pytest.raises(Refused, match="nothing was in force before"):
        models.roll_back("global", by="petr", at=now, reason="more")
    with pytest.raises(Refused, match="not older"):
        models.roll_back("global", by="petr", at=now, reason="more", to=3)
    models.promote("global", 3, by="jana", at=now)  # forward again is a promotion
    assert [(p.move, p.generation) for p in models.history("global")] == [
        (Move.PROMOTED, 1), (Move.PROMOTED, 2), (Move.PROMOTED, 3), (Move.ROLLED_BACK, 2), (Move.ROLLED_BACK, 1),
        (Move.PROMOTED, 3),
    ]  # fmt: skip


def test_f11_the_last_good_one_stays_in_force(models: ModelFolder, told: Told, arrays: Arrays, now: datetime) -> None:
    for generation in (1, 2, 3):
        models.publish(told(), dict(arrays) | {"bias": np.array(float(generation))})
        models.promote("global", generation, by="jana", at=now)
    models.roll_back("global", by="jana", at=now, reason="worse")
    (models.place("global", 2) / "arrays.npz").write_bytes(b"x")
    artefact, faults = models.in_force(GLOBAL, now)
    assert artefact.manifest.generation == 1, "3 was rolled back from, so it is not what good ones fall back to"
    assert [each.fault for each in faults] == [Fault.DAMAGED]
    (models.place("global", 1) / "manifest.json").unlink()
    assert fault_of(models.in_force, GLOBAL, now) == Fault.DAMAGED


def test_the_same_generation_must_be_the_same_numbers(
    models: ModelFolder, told: Told, arrays: Arrays, now: datetime
) -> None:
    models.publish(told(), arrays)
    models.promote("global", 1, by="jana", at=now)
    shutil.rmtree(models.place("global", 1))
    models.publish(told(), dict(arrays) | {"bias": np.array(9.0)})
    assert fault_of(models.in_force, GLOBAL, now) == Fault.IDENTITY


def test_a_damaged_record_of_promotions_is_told_and_not_written_over(
    models: ModelFolder, told: Told, arrays: Arrays, now: datetime
) -> None:
    models.publish(told(), arrays)
    place = models.place("global") / "promotions.json"
    for text in ("", "{}", '{"promotions": [{"generation": 1}]}', "[" * 10_000):
        place.write_text(text)
        assert fault_of(models.in_force, GLOBAL, now) == Fault.DAMAGED
        assert fault_of(models.promote, "global", 1, by="jana", at=now) == Fault.DAMAGED
        assert place.read_text() == text


def test_a_process_keeps_its_last_good_one(models: ModelFolder, told: Told, arrays: Arrays, now: datetime) -> None:
    held = InForce(models, GLOBAL)
    assert held.refreshed(now) is False
    assert (held.artefact, trouble_of(held)) == (None, Fault.MISSING)
    models.publish(told(), arrays)
    models.promote("global", 1, by="jana", at=now)
    assert held.refreshed(now) is True
    first = held.artefact
    assert trouble_of(held) is None
    assert held.refreshed(now) is False
    shutil.rmtree(models.root)
    assert held.refreshed(now) is False
    assert (held.artefact, trouble_of(held)) == (first, Fault.MISSING)


def test_s07_a_process_takes_no_older_one_but_by_a_roll_back(
    models: ModelFolder, told: Told, arrays: Arrays, now: datetime, tmp_path: Path
) -> None:
    """An old copy of the whole folder, record and all, is put in its place."""
    models.publish(told(), arrays)
    models.promote("global", 1, by="jana", at=now)
    shutil.copytree(models.root, tmp_path / "stolen")
    models.publish(told(), dict(arrays) | {"bias": np.array(2.0)})
    models.promote("global", 2, by="jana", at=now)
    held = InForce(models, GLOBAL)
    assert held.refreshed(now)
    shutil.rmtree(models.root)
    shutil.copytree(tmp_path / "stolen", models.root)
    assert held.refreshed(now) is False
    assert generation_of(held) == 2
    assert trouble_of(held) == Fault.OLDER
    models.publish(told(), dict(arrays) | {"bias": np.array(2.0)})
    models.promote("global", 2, by="jana", at=now)
    assert held.refreshed(now) is False
    assert trouble_of(held) is None
    models.roll_back("global", by="jana", at=now, reason="shortages")
    assert held.refreshed(now) is True
    assert generation_of(held) == 1


def test_a_process_goes_on_when_a_trusted_key_is_none(
    models: ModelFolder, told: Told, arrays: Arrays, now: datetime, signer: KeySigner
) -> None:
    from autoscaler.bootstrap.models import own_models, own_signer

    mine = own_models(models.root)
    mine.publish(told(), arrays, signer=own_signer(models.root))
    mine.promote("global", 1, by="jana", at=now)
    held = InForce(mine, GLOBAL)
    assert held.refreshed(now)
    mine.publish(told(), arrays, signer=own_signer(models.root))
    mine.promote("global", 2, by="jana", at=now)
    broken = models.root / ".keys" / "broken.pub"
    broken.write_text("no key")
    assert not held.refreshed(now)
    assert (generation_of(held), trouble_of(held)) == (1, Fault.WRONG_SIGNATURE)
    assert str(broken) in str(held.trouble)
    broken.unlink()
    assert held.refreshed(now)
    assert (generation_of(held), trouble_of(held)) == (2, None)


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "a" * 64, "a\n"])
def test_a_name_that_is_a_path_is_refused(name: str, models: ModelFolder, told: Told, now: datetime) -> None:
    with pytest.raises(Refused, match="not a name"):
        models.load(name, 1, now)
    with pytest.raises(ValueError, match="name"):
        told(name=name)


def test_keys_are_private_and_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "k"
    generate(path)
    assert path.stat().st_mode & 0o077 == 0
    assert public_path(path).name == "k.pub"
    with pytest.raises(Refused, match="written over"):
        generate(path)
    for broken in (public_path(path), tmp_path / "none"):
        with pytest.raises(Refused):
            KeySigner.from_file(broken)
    with pytest.raises(Refused, match=r"\.pub"):
        TrustedKeys.from_files([path])


TRAINER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
import numpy as np
from autoscaler.adapters.artefacts import ModelFolder
from autoscaler.domain.artefact import Manifest
told = Manifest(kind="trees", name="global", created=datetime(2026, 6, 10, tzinfo=UTC))
folder = ModelFolder(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(20):
    made = folder.publish(told, {"who": np.array(int(sys.argv[2])), "bulk": np.full(200_000, float(sys.argv[2]))})
    print(made.generation, flush=True)
"""


@pytest.mark.slow
def test_f13_two_trainers_at_once_and_one_that_is_paused(models: ModelFolder, now: datetime) -> None:
    """Each generation belongs to one of them, whole, whatever readers look meanwhile; none is written over."""
    command = [sys.executable, "-c", TRAINER, str(models.root)]
    both = [
        subprocess.Popen([*command, str(k)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for k in (1, 2)
    ]
    said: list[list[int]] = [[], []]
    seen: set[int] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            for generation in models.generations("global"):
                found = models.load("global", generation, now)
                assert len(set(found.arrays["bulk"].tolist())) == 1
                seen.add(generation)

    reader = threading.Thread(target=read)
    try:
        for each in both:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        reader.start()
        for each in both:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        assert both[0].stdout is not None
        assert both[1].stdout is not None
        said[0].append(int(both[0].stdout.readline()))
        both[0].send_signal(signal.SIGSTOP)
        said[1] = [int(line) for line in both[1].stdout]
        newest = models.promote("global", max(models.generations("global")), by="two", at=now).generation
        os.kill(both[0].pid, signal.SIGCONT)
        said[0] += [int(line) for line in both[0].stdout]
    finally:
        done.set()
        for each in both:
            each.kill()
            each.communicate()
        if reader.ident is not None:
            reader.join()
    assert len(said[0]) == len(said[1]) == 20
    assert sorted(said[0] + said[1]) == list(range(1, 41))
    assert seen
    assert models.promoted("global") == newest, "the paused one went on and published; what is in force is still newest"
    for who, generations in ((1, said[0]), (2, said[1])):
        for generation in generations:
            assert int(read_artefact(models.place("global", generation), GLOBAL, now).arrays["who"]) == who
    assert not [p for p in models.place("global").iterdir() if p.name.endswith(".part")]
