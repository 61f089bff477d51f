"""`python hack/parts ensure prometheus etcd …`: needs Python >= 3.11 and nothing else."""

import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - this is where another Python is told
    sys.exit(f"hack/parts needs Python >= 3.11; this is {sys.version.split()[0]}")

# Python put this folder first; the modules are named from the repository's root, as tests and mypy name them
sys.path[0] = str(Path(__file__).resolve().parents[2])

from hack.parts.cli import main  # noqa: E402 - the path comes first

if __name__ == "__main__":
    sys.exit(main())
