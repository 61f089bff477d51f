"""A folder to an artefact, or the reason why not. Nothing is believed that was not checked before it is used."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from autoscaler.adapters.artefacts.disk import must_be_folder, read_bytes
from autoscaler.adapters.artefacts.npz import unpack
from autoscaler.adapters.artefacts.writing import ARRAYS, MANIFEST, STANDARD
from autoscaler.domain.artefact import (
    Artefact,
    BadArtefact,
    Expected,
    Fault,
    Limits,
    Manifest,
    must_be_as_expected,
)
from autoscaler.domain.artefact_text import manifest_of
from autoscaler.ports.artefacts import Verifier


def read_manifest(folder: Path, limits: Limits = STANDARD) -> Manifest:
    """What a folder says of itself; nothing of it is checked against files or a signature yet. Raises BadArtefact."""
    must_be_folder(folder)
    place = folder / MANIFEST
    manifest = manifest_of(read_bytes(place, limits.manifest_bytes), place)
    if set(manifest.files) != {ARRAYS}:
        raise BadArtefact(Fault.DAMAGED, f"{place}: files are {', '.join(manifest.files) or 'none'}, not {ARRAYS}")
    size, packed = manifest.unpacked_bytes, manifest.files[ARRAYS].size_bytes
    if len(manifest.arrays) > limits.arrays or size > limits.unpacked_bytes or packed > limits.file_bytes:
        raise BadArtefact(
            Fault.TOO_LARGE,
            f"{place}: {len(manifest.arrays)} arrays of {size} bytes, packed {packed}; at most "
            f"{limits.arrays}, {limits.unpacked_bytes} and {limits.file_bytes} are taken",
        )
    return manifest


def read_artefact(
    folder: Path, expected: Expected, now: datetime, *, verifier: Verifier | None = None, limits: Limits = STANDARD
) -> Artefact:
    """The artefact in a folder, whole and as expected. Raises BadArtefact, and then nothing was unpacked by half.

    verifier: judges the signature; None only for what this very installation wrote or came with.
    """
    manifest = read_manifest(folder, limits)
    if verifier is not None:
        verifier.verify(manifest, folder / MANIFEST)
    must_be_as_expected(manifest, expected, now, folder / MANIFEST)
    place, told = folder / ARRAYS, manifest.files[ARRAYS]
    body = read_bytes(place, limits.file_bytes, told.size_bytes)
    digest = hashlib.sha256(body).hexdigest()
    if digest != told.sha256:
        raise BadArtefact(
            Fault.DAMAGED, f"{place}: its SHA-256 is {digest[:12]}…, and the manifest says {told.sha256[:12]}…"
        )
    return Artefact(manifest, unpack(body, manifest.arrays, place))
