"""Take outputs and counters out of the notebooks, as git has them: `make format` does it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def stripped(notebook: dict[str, Any]) -> dict[str, Any]:
    """The same notebook without anything that running it left behind."""
    cells = []
    for cell in notebook["cells"]:
        bare = cell | {"metadata": {k: v for k, v in cell["metadata"].items() if k == "tags"}}
        cells.append(bare | {"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else bare)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return notebook | {"cells": cells, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}}}


def main() -> None:
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        before = path.read_text(encoding="utf-8")
        after = json.dumps(stripped(json.loads(before)), indent=1, ensure_ascii=False) + "\n"
        if after != before:
            path.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
