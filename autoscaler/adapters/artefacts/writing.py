"""A manifest and arrays to a new folder, all at once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from autoscaler.adapters.artefacts.disk import write_file, write_folder
from autoscaler.adapters.artefacts.npz import pack, spec_of
from autoscaler.domain.artefact import Arrays, FileSpec, Limits, Manifest
from autoscaler.ports.artefacts import Signer

MANIFEST, ARRAYS = "manifest.json", "arrays.npz"
STANDARD = Limits()


def write_artefact(
    folder: Path,
    told: Manifest,
    arrays: Arrays,
    *,
    signer: Signer | None = None,
    level: int = 6,
    limits: Limits = STANDARD,
) -> Manifest:
    """Write `folder`, which must not be there yet; the manifest as written, with arrays, digests and signature.

    Raises FileExistsError when it is there, ValueError for arrays that artefacts do not have or that readers would
    refuse for their size (limits: the readers'), Refused where the disk does not take it.
    """
    whole = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    specs = {name: spec_of(name, array) for name, array in whole.items()}
    body = pack(whole, level)
    manifest = replace(
        told,
        arrays=specs,
        files={ARRAYS: FileSpec(hashlib.sha256(body).hexdigest(), len(body))},
        signature=None,
    )
    if len(whole) > limits.arrays or len(body) > limits.file_bytes or manifest.unpacked_bytes > limits.unpacked_bytes:
        raise ValueError(
            f"{told.name}: {len(whole)} arrays of {manifest.unpacked_bytes} bytes, packed {len(body)}; readers take "
            f"{limits.arrays}, {limits.unpacked_bytes} and {limits.file_bytes}"
        )
    if signer is not None:
        manifest = replace(manifest, signature=signer.sign(manifest))
    write_folder(folder, {ARRAYS: body, MANIFEST: manifest_text(manifest)})
    return manifest


def sign_folder(folder: Path, manifest: Manifest, signer: Signer) -> Manifest:
    """Put a signature into the manifest of a folder that was read and found sound."""
    signed = replace(manifest, signature=signer.sign(manifest))
    write_file(folder / MANIFEST, manifest_text(signed))
    return signed


def manifest_text(manifest: Manifest) -> bytes:
    return (json.dumps(manifest.as_dict(), indent=2, sort_keys=True, allow_nan=False) + "\n").encode()
