"""`python -m hack.dashboards`: write charts/foresail/files/dashboards."""

from __future__ import annotations

import json
from pathlib import Path

from hack.dashboards.model_quality import MODELS
from hack.dashboards.overview import OVERVIEW
from hack.dashboards.own_health import HEALTH
from hack.dashboards.workload import ONE

FOLDER = Path(__file__).resolve().parents[2] / "charts" / "foresail" / "files" / "dashboards"
BOARDS = {"overview": OVERVIEW, "workload": ONE, "model-quality": MODELS, "own-health": HEALTH}


def generated() -> dict[Path, str]:
    return {
        FOLDER / f"{name}.json": json.dumps(board.render(), indent=2, ensure_ascii=False) + "\n"
        for name, board in BOARDS.items()
    }


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text)
