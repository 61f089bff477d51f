"""Implements ports.artefacts with Ed25519 keys in PEM files (RFC 8032; the library is `cryptography`)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from autoscaler.adapters.artefacts.disk import write_file
from autoscaler.domain.artefact import BadArtefact, Fault, Manifest, Signature
from autoscaler.domain.errors import Refused

PUBLIC_SUFFIX = ".pub"
KEY_BYTES = 16 * 1024


def key_id(key: Ed25519PublicKey) -> str:
    """Sixteen hex digits that tell keys apart in messages and manifests; trust is in the key, not in them."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def generate(path: Path) -> str:
    """A new private key in `path`, readable by its owner alone, and its public key beside it as .pub; its id.

    Refused where either file is there: a key that is written over is lost.
    """
    public = public_path(path)
    for each in (path, public):
        if each.exists() or each.is_symlink():
            raise Refused(f"{each}: is there already, and a key that is written over is lost; name another file")
    if not path.parent.is_dir():
        raise Refused(f"{path}: the folder {path.parent} does not exist; create it first")
    key = Ed25519PrivateKey.generate()
    write_file(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
    write_file(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return key_id(key.public_key())


def public_path(path: Path) -> Path:
    return path.with_name(path.name + PUBLIC_SUFFIX)


@dataclass(frozen=True, slots=True)
class KeySigner:
    key: Ed25519PrivateKey

    @staticmethod
    def from_file(path: Path) -> KeySigner:
        try:
            key = load_pem_private_key(_pem(path), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as why:
            raise Refused(
                f"{path}: not a private key without password in PEM ({why}); make one with `models keygen`"
            ) from None
        if not isinstance(key, Ed25519PrivateKey):
            raise Refused(f"{path}: a key of another kind; signatures are Ed25519: make one with `models keygen`")
        return KeySigner(key)

    @property
    def id(self) -> str:
        return key_id(self.key.public_key())

    def sign(self, manifest: Manifest) -> Signature:
        return Signature(self.id, base64.b64encode(self.key.sign(manifest.signed_bytes())).decode())


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """Implements Verifier. keys: (id, key, the file that it came from)."""

    keys: tuple[tuple[str, Ed25519PublicKey, str], ...]

    @staticmethod
    def from_files(paths: Iterable[Path]) -> TrustedKeys:
        """Raises Refused for a file that is not an Ed25519 public key: a key that is silently left out misleads."""
        found = []
        for path in paths:
            try:
                key = load_pem_public_key(_pem(path))
            except (ValueError, UnsupportedAlgorithm) as why:
                raise Refused(
                    f"{path}: not a public key in PEM ({why}); give the .pub file of `models keygen`"
                ) from None
            if not isinstance(key, Ed25519PublicKey):
                raise Refused(f"{path}: a key of another kind; signatures are Ed25519")
            found.append((key_id(key), key, str(path)))
        return TrustedKeys(tuple(found))

    def verify(self, manifest: Manifest, place: object) -> None:
        told = manifest.signature
        if told is None:
            raise BadArtefact(
                Fault.UNSIGNED,
                f"{place}: is not signed, and what comes from outside must be: sign it with `foresail models sign`",
            )
        keys = [key for known, key, _ in self.keys if known == told.key]
        if not keys:
            trusted = ", ".join(known for known, _, _ in self.keys) or "none"
            raise BadArtefact(
                Fault.WRONG_SIGNATURE,
                f"{place}: signed by key {told.key:.40}, which is not trusted (trusted: {trusted})",
            )
        try:
            signature = base64.b64decode(told.value, validate=True)
            keys[0].verify(signature, manifest.signed_bytes())
        except (InvalidSignature, binascii.Error, ValueError):
            raise BadArtefact(
                Fault.WRONG_SIGNATURE,
                f"{place}: the signature of key {told.key} does not fit: it was changed after it was signed",
            ) from None


def _pem(path: Path) -> bytes:
    try:
        if path.stat().st_size > KEY_BYTES:
            raise Refused(f"{path}: too large for a key")
        return path.read_bytes()
    except OSError as why:
        raise Refused(f"{path}: cannot be read ({why.strerror}); name the file of a key") from None
