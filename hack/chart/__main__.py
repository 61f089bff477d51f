"""`python -m hack.chart`: write what is generated; `--check`: name what is not current and end with 1."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hack.chart.manifests import manifests
from hack.chart.roles import role_files
from hack.chart.writing import schema_json, values_page, values_yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "foresail"


def generated() -> dict[Path, str]:
    """All but the manifests, which need helm."""
    rbac = {CHART / "files" / "rbac" / name: text for name, text in role_files().items()}
    return {
        CHART / "values.yaml": values_yaml(),
        CHART / "values.schema.json": schema_json(),
        ROOT / "docs" / "chart-values.md": values_page(),
        **rbac,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m hack.chart", description="The chart's generated files.")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where something is not current")
    check = parser.parse_args().check
    stale = _bring_up_to_date(generated(), check=check)
    stale += _bring_up_to_date({CHART.parent / "manifests" / "foresail.yaml": manifests(CHART)}, check=check)
    for path in stale:
        print(f"{'not current' if check else 'written'}: {path.relative_to(ROOT)}")
    return 1 if check and stale else 0


def _bring_up_to_date(files: dict[Path, str], *, check: bool) -> list[Path]:
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    for path in [] if check else stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path])
    return stale


if __name__ == "__main__":
    sys.exit(main())
