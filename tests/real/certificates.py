"""Certificates for loopback, each signed by itself, made by openssl in some 20 ms."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.real.parts import require_program


@dataclass(frozen=True, slots=True)
class Certificate:
    """Its own CA: whoever trusts `certificate` knows its owner, server or client."""

    certificate: Path
    key: Path


def self_signed(folder: Path, name: str = "loopback") -> Certificate:
    """For servers on loopback; as a client's its common name is `name`, or localhost for the default."""
    openssl = require_program("openssl")
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    common_name = "localhost" if name == "loopback" else name
    command = [openssl, "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"]
    command += ["-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-subj", f"/CN={common_name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(made.key), "-out", str(made.certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return made
