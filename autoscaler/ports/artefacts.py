"""Where artefacts are signed and signatures judged; the only thing about them that needs a library."""

from __future__ import annotations

from typing import Protocol

from autoscaler.domain.artefact import Manifest, Signature


class Signer(Protocol):
    """Signs what this holder of a key has made."""

    def sign(self, manifest: Manifest) -> Signature: ...


class Verifier(Protocol):
    """Knows the keys that are trusted."""

    def verify(self, manifest: Manifest, place: object) -> None:
        """Raises BadArtefact: UNSIGNED without a signature, WRONG_SIGNATURE with another's or a forged one."""
