"""Arrays to the bytes of an .npz and back, with every size known before anything is unpacked.

numpy.load is not used: it believes what the archive says of itself. Here the manifest says which arrays there are, of
which type and shape, and an archive that says anything else is refused. Objects (pickle) have no way in: their type is
not one that a manifest may name, and the header is read with allow_pickle=False beside.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.artefact import ArraySpec, BadArtefact, Fault

HEADER_BYTES = 4096
"""Most that stands before the numbers of one array; numpy writes 128."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


def spec_of(name: str, array: NDArray[Any]) -> ArraySpec:
    """Raises ValueError for a type that artefacts do not have, such as objects or dates."""
    try:
        return ArraySpec(array.dtype.str, array.shape)
    except ValueError as why:
        raise ValueError(f"array {name!r}: {why}") from None


def pack(arrays: Mapping[str, NDArray[Any]], level: int = 6) -> bytes:
    """The same arrays give the same bytes: names in order, no dates."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(arrays):
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            body = io.BytesIO()
            np.lib.format.write_array(
                body, np.ascontiguousarray(arrays[name]).reshape(arrays[name].shape), allow_pickle=False
            )
            archive.writestr(entry, body.getvalue(), compresslevel=level)
    return buffer.getvalue()


def unpack(body: bytes, specs: Mapping[str, ArraySpec], place: Path) -> dict[str, NDArray[Any]]:
    """The arrays, exactly those of `specs`. Raises BadArtefact (DAMAGED, or UNSAFE where it would run code)."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            _must_hold(archive, specs, place)
            return {name: _one(archive, archive.getinfo(f"{name}.npy"), spec, place) for name, spec in specs.items()}
    except BadArtefact:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        ValueError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
        OverflowError,
    ) as why:
        raise BadArtefact(Fault.DAMAGED, f"{place}: cannot be unpacked ({why})") from None


def _must_hold(archive: zipfile.ZipFile, specs: Mapping[str, ArraySpec], place: Path) -> None:
    """Just the arrays that are told of, each once."""
    names, wanted = archive.namelist(), {f"{name}.npy" for name in specs}
    if len(set(names)) != len(names) or set(names) != wanted:
        odd = sorted(set(names) ^ wanted) or sorted({n for n in names if names.count(n) > 1})
        words = ", ".join(odd[:5])
        raise BadArtefact(Fault.DAMAGED, f"{place}: holds other arrays than its manifest says: {words!r:.200}")


def _one(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, spec: ArraySpec, place: Path) -> NDArray[Any]:
    where = f"{place}: {entry.filename}"
    least = spec.nbytes
    if not least < entry.file_size <= least + HEADER_BYTES:
        raise BadArtefact(Fault.DAMAGED, f"{where} unpacks to {entry.file_size} bytes, and its manifest says {least}")
    with archive.open(entry) as file:
        raw = file.read(least + HEADER_BYTES + 1)
    stream = io.BytesIO(raw)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise BadArtefact(Fault.DAMAGED, f"{where}: not an array in the format 1.0 of numpy")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream, max_header_size=HEADER_BYTES)
    if dtype.hasobject:
        raise BadArtefact(Fault.UNSAFE, f"{where}: holds Python objects, which run code when they are read; it was not")
    if dtype.str != spec.dtype or shape != spec.shape or fortran:
        raise BadArtefact(
            Fault.DAMAGED, f"{where}: {dtype.str} {list(shape)}, and its manifest says {spec.dtype} {list(spec.shape)}"
        )
    numbers = raw[stream.tell() :]
    if len(numbers) != least:
        raise BadArtefact(Fault.DAMAGED, f"{where}: {len(numbers)} bytes of numbers, not {least}")
    array: NDArray[Any] = np.frombuffer(numbers, dtype=dtype).reshape(shape)
    return array
