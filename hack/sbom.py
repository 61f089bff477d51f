"""`python hack/sbom.py OUT`: what a Foresail of the lock file is made of, as CycloneDX 1.5 with the hash of each file.

Runtime dependencies with the extra that the image has; no tools of development. From uv.lock alone: nothing is asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / ".tools" / "bin" / "uv"


def sbom() -> dict[str, Any]:
    """RuntimeError with uv's words when it cannot be made."""
    words = ["export", "--frozen", "--no-dev", "--extra", "server", "--format", "cyclonedx1.5"]
    command: list[str | Path] = [UV, *words, "--preview-features", "sbom-export", "--quiet"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(f"uv export: {done.stderr}")
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python hack/sbom.py OUT", file=sys.stderr)
        return 2
    place, made = Path(sys.argv[1]), sbom()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(made, indent=2) + "\n")
    print(f"{place}: {len(made['components'])} components")
    return 0


if __name__ == "__main__":
    sys.exit(main())
