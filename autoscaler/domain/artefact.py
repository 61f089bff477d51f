"""What is known about a model or state artefact: the manifest, its canonical bytes, and what a reader expects.

An artefact is a manifest and named arrays. Reading and writing files is `adapters/artefacts`; there is no form of it
that can carry code.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscaler.domain.errors import Refused

SCHEMA_VERSION = 1
SIGNING_CONTEXT = b"foresail-artefact-1\n"
"""Stands before the signed bytes, so that a signature over anything else is never one over a manifest."""
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
FILE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\.npz")
ARRAY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
DTYPES = frozenset({"|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8"})
BYTES_DTYPE = re.compile(r"\|S[1-9][0-9]{0,3}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
MOST_GENERATION = 2**53 - 1

Arrays = Mapping[str, NDArray[Any]]


class Fault(StrEnum):
    """Why an artefact is not taken."""

    MISSING = "Missing"
    UNSAFE = "Unsafe"
    DAMAGED = "Damaged"
    TOO_LARGE = "TooLarge"
    SCHEMA = "Schema"
    IDENTITY = "Identity"
    OLDER = "Older"
    EXPIRED = "Expired"
    UNSIGNED = "Unsigned"
    WRONG_SIGNATURE = "WrongSignature"


class BadArtefact(Refused):
    """An artefact that is not taken; the message names the file, what is wrong and the way out."""

    def __init__(self, fault: Fault, words: str) -> None:
        self.fault = fault
        super().__init__(words)


@dataclass(frozen=True, slots=True)
class Limits:
    """Most that a reader takes in. The arrays' size is checked against the manifest before anything is unpacked."""

    manifest_bytes: int = 256 * 1024
    file_bytes: int = 64 * 1024**2
    unpacked_bytes: int = 256 * 1024**2
    arrays: int = 512


@dataclass(frozen=True, slots=True)
class ArraySpec:
    dtype: str
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES and not BYTES_DTYPE.fullmatch(self.dtype):
            raise ValueError(f"arrays of {self.dtype!r} are not taken: only little-endian numbers, flags and bytes")
        if len(self.shape) > 8 or any(n < 0 for n in self.shape):
            raise ValueError(f"{list(self.shape)} is not the shape of an array")

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True)
class FileSpec:
    sha256: str
    size_bytes: int

    def __post_init__(self) -> None:
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"{self.sha256!r} is not a SHA-256 in hex")
        if self.size_bytes < 0:
            raise ValueError(f"a file cannot have {self.size_bytes} bytes")


@dataclass(frozen=True, slots=True)
class Signature:
    """key: id of the public key. value: the 64 bytes of Ed25519, in base64."""

    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything about an artefact but the numbers themselves.

    kind: which code reads the arrays; name: which model it is. generation: rises with each one published.
    created, expires: aware moments. versions: of whatever the reader must agree with, such as its features.
    window: first and last moment of the training data. data_hash: of that data (see `data_hash`).
    metrics: as measured when it was made. limits: within which it may be used, such as max_rows. features: names of
    the model's inputs, in order. arrays, files: filled in by the writer. Raises ValueError on anything that is not so.
    """

    kind: str
    name: str
    created: datetime
    generation: int = 1
    expires: datetime | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    window: tuple[datetime, datetime] | None = None
    data_hash: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    features: tuple[str, ...] = ()
    arrays: Mapping[str, ArraySpec] = field(default_factory=dict)
    files: Mapping[str, FileSpec] = field(default_factory=dict)
    signature: Signature | None = None

    def __post_init__(self) -> None:
        for what, value in (("kind", self.kind), ("name", self.name)):
            if not NAME.fullmatch(value):
                raise ValueError(f"{what} {value!r}: lower-case letters, digits and dashes, at most 63")
        if not 1 <= self.generation <= MOST_GENERATION:
            raise ValueError(f"generation {self.generation} is not a whole number from 1 on")
        moments = (self.created, *(self.window or ()), *((self.expires,) if self.expires else ()))
        if any(m.tzinfo is None for m in moments):
            raise ValueError("created, expires and window are moments with a zone")
        if self.window is not None and self.window[0] > self.window[1]:
            raise ValueError(f"the window ends ({self.window[1]}) before it begins ({self.window[0]})")
        for what, numbers in (("metrics", self.metrics), ("limits", self.limits)):
            for key, number in numbers.items():
                if not math.isfinite(number):
                    raise ValueError(f"{what}.{key} is {number}, not a finite number")
        if len(set(self.features)) != len(self.features):
            twice = sorted({f for f in self.features if self.features.count(f) > 1})
            raise ValueError(f"features named twice: {', '.join(twice)}")
        for name in self.arrays:
            if not ARRAY_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a name of an array")
        for name in self.files:
            if not FILE_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a plain name of an .npz file beside the manifest")
        for name in ("metrics", "limits"):  # one form of a number, whoever measured it: what is signed must not vary
            numbers = {key: float(number) for key, number in getattr(self, name).items()}
            object.__setattr__(self, name, MappingProxyType(numbers))
        for name in ("versions", "arrays", "files"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @property
    def unpacked_bytes(self) -> int:
        return sum(spec.nbytes for spec in self.arrays.values())

    @property
    def label(self) -> str:
        return f"{self.name}@{self.generation}"

    def as_dict(self) -> dict[str, Any]:
        """As in manifest.json, without what is not set."""
        found: dict[str, Any] = {
            "schemaVersion": SCHEMA_VERSION,
            "kind": self.kind,
            "name": self.name,
            "generation": self.generation,
            "created": moment_text(self.created),
            "expires": None if self.expires is None else moment_text(self.expires),
            "versions": dict(self.versions),
            "window": None if self.window is None else [moment_text(m) for m in self.window],
            "dataHash": self.data_hash,
            "metrics": dict(self.metrics),
            "limits": dict(self.limits),
            "features": list(self.features),
            "arrays": {k: {"dtype": a.dtype, "shape": list(a.shape)} for k, a in self.arrays.items()},
            "files": {k: {"sha256": f.sha256, "bytes": f.size_bytes} for k, f in self.files.items()},
        }
        if self.signature is not None:
            found["signature"] = {"key": self.signature.key, "ed25519": self.signature.value}
        return {key: value for key, value in found.items() if value is not None}

    def signed_bytes(self) -> bytes:
        """What a signature covers: the whole manifest but the signature; keys sorted, no spaces, ASCII."""
        plain = replace(self, signature=None).as_dict()
        return SIGNING_CONTEXT + json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


@dataclass(frozen=True, slots=True)
class Expected:
    """What the reading code needs. None: anything. versions: those that must be just so; others may be anything."""

    kind: str | None = None
    name: str | None = None
    generation: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Artefact:
    """A manifest and its arrays, checked against each other; the arrays are read-only."""

    manifest: Manifest
    arrays: Arrays

    def __post_init__(self) -> None:
        if set(self.arrays) != set(self.manifest.arrays):
            odd = set(self.arrays) ^ set(self.manifest.arrays)
            raise ValueError(f"manifest and arrays differ: {', '.join(sorted(odd))}")
        for name, spec in self.manifest.arrays.items():
            array = self.arrays[name]
            if (array.dtype.str, array.shape) != (spec.dtype, spec.shape):
                raise ValueError(f"{name} is {array.dtype.str} {list(array.shape)}, not {spec.dtype} {spec.shape}")
            array.setflags(write=False)


def must_be_as_expected(found: Manifest, expected: Expected, now: datetime, place: object) -> None:
    """Raises BadArtefact where the artefact is another one than asked for, made for other code, or expired at now."""
    asked = (("kind", found.kind, expected.kind), ("name", found.name, expected.name))
    for what, is_, wanted in (*asked, ("generation", found.generation, expected.generation)):
        if wanted is not None and is_ != wanted:
            words = f"{place}: its {what} is {is_!r}, not {wanted!r}: it was put in the wrong place"
            raise BadArtefact(Fault.IDENTITY, words)
    for key, wanted in expected.versions.items():
        if found.versions.get(key) != wanted:
            raise BadArtefact(
                Fault.IDENTITY,
                f"{place}: made for {key} {found.versions.get(key)!r}, and {wanted!r} is read here: train it anew",
            )
    if found.expires is not None and now >= found.expires:
        raise BadArtefact(
            Fault.EXPIRED, f"{place}: expired at {moment_text(found.expires)}: publish a newer generation"
        )


def moment_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
