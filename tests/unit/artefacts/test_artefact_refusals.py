"""Whatever a folder holds: it is the artefact that was written, or it is refused with a clear reason."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import random
import re
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoscaler.adapters.artefacts import hash_of, read_artefact, write_artefact
from autoscaler.adapters.artefacts.npz import pack
from autoscaler.domain.artefact import Arrays, BadArtefact, Expected, Fault, Limits, Manifest

Told = Callable[..., Manifest]
ANY = Expected()
ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path, told: Told, arrays: Arrays) -> Path:
    write_artefact(tmp_path / "one", told(), arrays)
    return tmp_path / "one"


def rewritten(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """manifest.json with a change, as somebody would make it who can write there."""
    place = folder / "manifest.json"
    found = json.loads(place.read_text())
    change(found)
    place.write_text(json.dumps(found))


def replaced(folder: Path, body: bytes) -> None:
    """Another arrays.npz, with a manifest whose digest and size fit it."""
    (folder / "arrays.npz").write_bytes(body)
    rewritten(
        folder,
        lambda m: m["files"]["arrays.npz"].update(sha256=hashlib.sha256(body).hexdigest(), bytes=len(body)),
    )


def refused(folder: Path, now: datetime, expected: Expected = ANY, **how: Any) -> BadArtefact:
    with pytest.raises(BadArtefact) as caught:
        read_artefact(folder, expected, now, **how)
    assert str(folder) in str(caught.value)
    return caught.value


def test_what_was_written_comes_back(folder: Path, arrays: Arrays, told: Told, now: datetime) -> None:
    found = read_artefact(folder, Expected("trees", "global", 1, {"features": "1"}), now)
    assert found.manifest.features == ("lag", "hour")
    assert found.manifest.metrics == {"wql": 0.4}
    assert found.manifest.window == told().window
    assert set(found.arrays) == set(arrays)
    for name, array in arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].shape == array.shape
        assert np.array_equal(found.arrays[name], array)
        assert not found.arrays[name].flags.writeable


def test_the_same_arrays_give_the_same_bytes(tmp_path: Path, told: Told, arrays: Arrays) -> None:
    one = write_artefact(tmp_path / "a", told(), arrays)
    other = write_artefact(tmp_path / "b", told(), dict(reversed(list(arrays.items()))))
    assert one == other
    assert (tmp_path / "a" / "arrays.npz").read_bytes() == (tmp_path / "b" / "arrays.npz").read_bytes()


class Runs:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.mark}",))


def _object_array(mark: Path) -> bytes:
    body = io.BytesIO()
    np.lib.format.write_array(body, np.array([Runs(mark)], dtype=object), allow_pickle=True)
    return body.getvalue()


def _archive(entries: dict[str, bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return body.getvalue()


@pytest.mark.parametrize("form", ["pickle", "npy", "npz", "padded npz", "joblib in an npz"])
def test_s06_executable_formats_have_no_way_in(form: str, folder: Path, tmp_path: Path, now: datetime) -> None:
    mark = tmp_path / "it-ran"
    evil = _object_array(mark)
    size = np.array([Runs(mark)], dtype=object)
    arrays: dict[str, Any] = {"x": {"dtype": "<f8", "shape": [len(evil) // 8 - 12]}}
    body = {
        "pickle": pickle.dumps(size),
        "npy": evil,
        "npz": _archive({"x.npy": evil}),
        "padded npz": _archive({"x.npy": evil + b"\0" * 8}),
        "joblib in an npz": _archive({"x.npy": pickle.dumps(Runs(mark)) + b"\0" * len(evil)}),
    }[form]
    rewritten(folder, lambda m: m.update(arrays=arrays))
    replaced(folder, body)
    found = refused(folder, now)
    assert found.fault in {Fault.UNSAFE, Fault.DAMAGED}
    if form == "npz":
        assert found.fault == Fault.UNSAFE
        assert "run code" in str(found)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Runs(mark)))  # it would have run  # noqa: S301
    assert mark.exists()


def test_s06_a_manifest_cannot_ask_for_objects(folder: Path, now: datetime) -> None:
    rewritten(folder, lambda m: m["arrays"]["bias"].update(dtype="|O"))
    assert refused(folder, now).fault == Fault.DAMAGED


def test_s06_objects_cannot_be_written(tmp_path: Path, told: Told) -> None:
    with pytest.raises(ValueError, match=r"'x'.*not taken"):
        write_artefact(tmp_path / "x", told(), {"x": np.array([object()])})
    assert list(tmp_path.iterdir()) == []


def test_s06_no_module_of_ours_can_unpickle() -> None:
    loaders = (
        "import pickle",
        "from pickle",
        "joblib.load",
        "allow_pickle=True",
        "import dill",
        "import marshal",
    )
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in sorted((ROOT / "autoscaler").rglob("*.py"))
        for word in loaders
        if word in path.read_text(encoding="utf-8")
    ]
    assert found == []


def test_s06_arrays_of_numpy_are_loaded_as_numbers_alone() -> None:
    for path in sorted((ROOT / "autoscaler").rglob("*.py")):
        for call in re.findall(r"np\.load\([^\n]*", path.read_text(encoding="utf-8")):
            assert "allow_pickle=False" in call, f"{path.relative_to(ROOT)}: {call}"


def test_f11_a_zip_bomb_is_refused_before_it_is_unpacked(folder: Path, now: datetime) -> None:
    bomb = pack({"x": np.zeros(2**24)})  # 128 MiB in 130 kB
    replaced(folder, bomb)
    rewritten(folder, lambda m: m.update(arrays={"x": {"dtype": "<f8", "shape": [10]}}))
    tracemalloc.start()
    try:
        assert refused(folder, now).fault == Fault.DAMAGED
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


def test_f11_a_bomb_that_lies_about_its_size_is_refused(folder: Path, now: datetime) -> None:
    bomb = bytearray(pack({"x": np.zeros(2**21)}))
    true, told = (2**24 + 128).to_bytes(4, "little"), (80 + 128).to_bytes(4, "little")
    assert true in bomb
    replaced(folder, bytes(bomb).replace(true, told))
    rewritten(folder, lambda m: m.update(arrays={"x": {"dtype": "<f8", "shape": [10]}}))
    tracemalloc.start()
    try:
        assert refused(folder, now).fault == Fault.DAMAGED
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


def test_f11_oversized_arrays_are_refused_by_the_manifest_alone(folder: Path, now: datetime) -> None:
    rewritten(folder, lambda m: m["arrays"]["bias"].update(shape=[2**40, 2**40]))
    assert refused(folder, now).fault == Fault.TOO_LARGE
    assert refused(folder, now, limits=Limits(unpacked_bytes=100)).fault == Fault.TOO_LARGE


def test_f11_ten_times_the_file_is_refused(folder: Path, now: datetime) -> None:
    place = folder / "arrays.npz"
    place.write_bytes(place.read_bytes() * 10)
    found = refused(folder, now)
    assert found.fault == Fault.DAMAGED
    assert "manifest says" in str(found)
    assert refused(folder, now, limits=Limits(file_bytes=1)).fault == Fault.TOO_LARGE


@pytest.mark.parametrize("name", ["arrays.npz", "manifest.json"])
def test_f11_a_missing_or_truncated_file_is_refused(name: str, folder: Path, now: datetime) -> None:
    whole = (folder / name).read_bytes()
    for part in (whole[:-1], whole[: len(whole) // 2], b""):
        (folder / name).write_bytes(part)
        if part != whole[:-1] or name != "manifest.json":  # its last byte is a line end
            assert refused(folder, now).fault == Fault.DAMAGED
    (folder / name).unlink()
    assert refused(folder, now).fault == Fault.MISSING
    assert refused(folder / "nowhere", now).fault == Fault.MISSING


@pytest.mark.slow
def test_f11_a_thousand_flipped_bits_change_nothing_unseen(
    folder: Path, arrays: Arrays, now: datetime, trusted: Any, signer: Any
) -> None:
    """Of the arrays each flip is refused; of a signed manifest too, unless it still says the very same."""
    whole = read_artefact(folder, ANY, now)
    from autoscaler.adapters.artefacts.writing import sign_folder

    sign_folder(folder, whole.manifest, signer)
    dice = random.Random(5)
    for name in ("arrays.npz", "manifest.json"):
        good = (folder / name).read_bytes()
        for _ in range(500):
            bad = bytearray(good)
            bad[dice.randrange(len(bad))] ^= 1 << dice.randrange(8)
            (folder / name).write_bytes(bytes(bad))
            try:
                found = read_artefact(folder, ANY, now, verifier=trusted)
            except BadArtefact:
                continue
            assert name == "manifest.json"
            assert found.manifest.signed_bytes() == whole.manifest.signed_bytes()
        (folder / name).write_bytes(good)
    assert read_artefact(folder, ANY, now, verifier=trusted).manifest.name == "global"


def test_f11_features_named_twice_are_refused(folder: Path, told: Told, now: datetime) -> None:
    with pytest.raises(ValueError, match="twice: lag"):
        told(features=("lag", "hour", "lag"))
    rewritten(folder, lambda m: m.update(features=["lag", "lag"]))
    assert "twice: lag" in str(refused(folder, now))


def test_f12_swapped_files_are_refused(folder: Path, tmp_path: Path, told: Told, arrays: Arrays, now: datetime) -> None:
    other = tmp_path / "two"
    write_artefact(other, told(), dict(arrays) | {"bias": np.array(2.5)})
    one, two = folder / "arrays.npz", other / "arrays.npz"
    mine, theirs = one.read_bytes(), two.read_bytes()
    assert len(mine) == len(theirs)
    one.write_bytes(theirs)
    two.write_bytes(mine)
    assert "SHA-256" in str(refused(folder, now))
    assert "SHA-256" in str(refused(other, now))


def test_f12_an_artefact_of_another_name_kind_or_version_is_refused(folder: Path, now: datetime) -> None:
    for expected in (
        Expected(kind="state"), Expected(name="web"), Expected(generation=2), Expected(versions={"features": "2"}),
        Expected(versions={"metric": "rps"}),
    ):  # fmt: skip
        assert refused(folder, now, expected).fault == Fault.IDENTITY


@pytest.mark.parametrize(
    "name", ["../arrays.npz", "/etc/passwd", "sub/arrays.npz", "..", "arrays.npz\0", "manifest.json"]
)
def test_a_path_that_leaves_the_folder_is_refused(name: str, folder: Path, now: datetime) -> None:
    (folder.parent / "arrays.npz").write_bytes((folder / "arrays.npz").read_bytes())
    rewritten(folder, lambda m: m.update(files={name: m["files"]["arrays.npz"]}))
    assert refused(folder, now).fault == Fault.DAMAGED


@pytest.mark.parametrize("name", ["../x", "/x", "a/b"])
def test_an_array_whose_name_is_a_path_is_refused(name: str, folder: Path, now: datetime) -> None:
    rewritten(folder, lambda m: m["arrays"].update({name: m["arrays"].pop("bias")}))
    assert refused(folder, now).fault == Fault.DAMAGED


@pytest.mark.parametrize("name", ["arrays.npz", "manifest.json"])
def test_a_link_in_a_files_place_is_refused(name: str, folder: Path, now: datetime) -> None:
    (folder / name).rename(folder.parent / "elsewhere")
    (folder / name).symlink_to(folder.parent / "elsewhere")
    found = refused(folder, now)
    assert found.fault == Fault.UNSAFE
    assert "symbolic link" in str(found)


def test_a_link_to_a_folder_is_refused(folder: Path, now: datetime) -> None:
    (folder.parent / "link").symlink_to(folder)
    assert refused(folder.parent / "link", now).fault == Fault.UNSAFE


def test_a_pipe_in_a_files_place_does_not_hang(folder: Path, now: datetime) -> None:
    (folder / "arrays.npz").unlink()
    os.mkfifo(folder / "arrays.npz")
    assert refused(folder, now).fault == Fault.UNSAFE


@pytest.mark.parametrize("name", ["arrays.npz", "manifest.json"])
def test_f11_a_folder_in_a_files_place_is_refused(name: str, folder: Path, now: datetime) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    assert refused(folder, now).fault == Fault.UNSAFE


@pytest.mark.parametrize("version", [0, 2, "1", None, True, 1.5])
def test_an_unknown_schema_version_is_refused(version: object, folder: Path, now: datetime) -> None:
    rewritten(folder, lambda m: m.update(schemaVersion=version))
    assert refused(folder, now).fault == Fault.SCHEMA


def test_an_expired_one_is_refused(tmp_path: Path, told: Told, arrays: Arrays, now: datetime) -> None:
    write_artefact(tmp_path / "old", told(expires=now), arrays)
    assert read_artefact(tmp_path / "old", ANY, now - timedelta(seconds=1)).manifest.expires == now
    assert refused(tmp_path / "old", now).fault == Fault.EXPIRED


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(extra=1),
        lambda m: m.pop("created"),
        lambda m: m.update(created="2026-06-10T09:00:00"),
        lambda m: m.update(generation=0),
        lambda m: m.update(generation=True),
        lambda m: m.update(metrics={"wql": "good"}),
        lambda m: m.update(metrics={"wql": float("nan")}),
        lambda m: m.update(window=["2026-06-10T09:00:00Z"]),
        lambda m: m.update(arrays=[]),
        lambda m: m["arrays"]["bias"].update(shape=[-1]),
        lambda m: m["arrays"].pop("bias"),
        lambda m: m["files"]["arrays.npz"].update(sha256="00"),
        lambda m: m.update(name="../global"),
    ],
)
def test_a_manifest_that_is_not_one_is_refused(
    change: Callable[[dict[str, Any]], None], folder: Path, now: datetime
) -> None:
    rewritten(folder, change)
    assert refused(folder, now).fault == Fault.DAMAGED


def test_a_key_that_stands_twice_is_refused(folder: Path, now: datetime) -> None:
    place = folder / "manifest.json"
    place.write_text('{"generation": 9, ' + place.read_text().lstrip("{"))
    assert "stands twice" in str(refused(folder, now))


def test_deeply_nested_text_is_refused(folder: Path, now: datetime) -> None:
    (folder / "manifest.json").write_text("[" * 100_000)
    assert refused(folder, now).fault == Fault.DAMAGED


def test_what_readers_would_refuse_is_not_written(tmp_path: Path, told: Told) -> None:
    with pytest.raises(ValueError, match="readers take"):
        write_artefact(tmp_path / "x", told(), {f"a{k}": np.zeros(1) for k in range(513)})


def test_who_writes_more_says_so_to_both_sides(tmp_path: Path, told: Told, now: datetime) -> None:
    many, more = {f"a{k}": np.zeros(1) for k in range(513)}, Limits(arrays=600)
    write_artefact(tmp_path / "x", told(), many, limits=more)
    assert refused(tmp_path / "x", now).fault == Fault.TOO_LARGE
    assert len(read_artefact(tmp_path / "x", ANY, now, limits=more).arrays) == 513


def test_the_hash_of_data_sees_values_shapes_and_types() -> None:
    one = np.array([[1.0, np.nan], [2.0, 3.0]])
    assert hash_of(one) == hash_of(one.copy()) == hash_of(np.asfortranarray(one))
    others = (one.reshape(4), one + 1, one.astype(np.float32), np.nan_to_num(one))
    assert len({hash_of(one), *map(hash_of, others)}) == 5


def test_reading_loads_no_cryptography() -> None:
    """An edge site without the server extra reads artefacts too."""
    code = "import sys, autoscaler.adapters.artefacts; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
