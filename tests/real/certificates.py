"""A certificate for loopback, signed by itself, made by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.real.parts import require_program


@dataclass(frozen=True, slots=True)
class Certificate:
    """Its own CA: clients trust `certificate`."""

    certificate: Path
    key: Path


def self_signed(folder: Path) -> Certificate:
    openssl = require_program("openssl")
    made = Certificate(folder / "loopback.crt", folder / "loopback.key")
    command = [openssl, "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"]
    command += ["-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(made.key), "-out", str(made.certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return made
