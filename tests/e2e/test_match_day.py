"""A match day of the 1998 World Cup: the twin through all of it, real servers through four hours around the ramps.

About 18 minutes. Leaves out/e2e: figures.json, proof.md (tables), match-day.png, samples.json, the product's record.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from hack.real_world.constants import Constants
from hack.real_world.proof import Death, Found, run
from hack.real_world.report import Row, apart, picture, plain, table, twins
from hack.real_world.scene import WORLD_CUP, match_day, step_of
from hack.real_world.world import World

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

OUT = Path(__file__).parents[2] / "out" / "e2e"
DAY = "1998-06-25"
CONSTANTS = Constants(ready_s=420)
ALONE, FLOOR, HOTTER = "hpa-alone", "with-foresail", "with-foresail-85"
WORLDS = [World(ALONE, 70, served=False), World(FLOOR, 70, served=True), World(HOTTER, 85, served=True)]
BLIND = Death(step_of(f"{DAY}T14:40"), step_of(f"{DAY}T14:46"))
KILLED = Death(step_of(f"{DAY}T15:20"), step_of(f"{DAY}T15:24"))


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if not WORLD_CUP.exists():
        pytest.skip(f"NO RECORDING: {WORLD_CUP} is missing; the proof needs real demand")
    OUT.mkdir(parents=True, exist_ok=True)
    day = twins(match_day(f"{DAY}T00:00", 1440), CONSTANTS, WORLDS)
    print(table(f"twin, all of {DAY}", day), flush=True)
    hours = match_day(f"{DAY}T12:30", 240)
    modelled = twins(hours, CONSTANTS, WORLDS, BLIND.steps)
    print(table("twin, 12:30 to 16:30", modelled), flush=True)
    folder = tmp_path_factory.mktemp("e2e")
    found = run(
        hours, CONSTANTS, WORLDS, folder,
        prometheus_dies=BLIND, foresail_dies=KILLED, tell=lambda words: print(words, flush=True),
    )  # fmt: skip
    real = {name: Row.real(figures) for name, figures in found.figures.items()}
    made = {"day": day, "modelled": modelled, "real": real, "found": found}
    write(made)
    for name in ("foresail.db", "foresail.log", "fleet.yaml"):
        shutil.copy(folder / name, OUT / name)
    return made


def write(made: dict[str, Any]) -> None:
    found: Found = made["found"]
    figures = {name: plain(made[name]) for name in ("day", "modelled", "real")}
    differ = apart(made["real"], made["modelled"])
    told = {**found.told(), **figures, "twinApartPercent": differ}
    (OUT / "figures.json").write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    samples = {name: [list(s) for s in taken] for name, taken in found.samples.items()}
    (OUT / "samples.json").write_text(json.dumps(samples))
    parts = [
        table("real servers, 12:30 to 16:30", made["real"]),
        table("twin, 12:30 to 16:30, the same constants", made["modelled"]),
        table(f"twin, all of {DAY}", made["day"]),
        f"twin against real, replica-hours: {', '.join(f'{k} {v:+.1f} %' for k, v in differ.items())}\n",
        f"explained: {', '.join(f'{k} {asdict(v)}' for k, v in found.explained.items())}\n",
        *(f"```\n{words.strip()}\n```\n" for words in found.explanations),
    ]
    (OUT / "proof.md").write_text("\n".join(parts))
    picture(found, OUT / "match-day.png")
    print("\n".join(parts), flush=True)


def test_the_hpa_alone_is_short_for_ten_minutes_and_with_our_floor_for_fewer(proof):
    for rows in (proof["real"], proof["modelled"], proof["day"]):
        assert rows[ALONE].short_minutes >= 10
        assert rows[FLOOR].short_minutes < rows[ALONE].short_minutes


def test_twin_and_real_cluster_order_the_worlds_alike_and_agree_on_replica_hours(proof):
    real, modelled = proof["real"], proof["modelled"]
    for column in ("short_minutes", "replica_hours"):

        def order(rows: dict[str, Row], column: str = column) -> list[str]:
            return sorted(rows, key=lambda name: getattr(rows[name], column))

        assert order(real) == order(modelled), column
    assert all(abs(percent) <= 10 for percent in apart(real, modelled).values()), apart(real, modelled)


def test_M01_nothing_shrinks_while_prometheus_is_dead(proof):
    assert proof["found"].shrunk == []


def test_the_floor_stands_while_we_are_dead_and_after_the_restart(proof):
    assert proof["found"].fallen == []


def test_every_decision_is_explained(proof):
    found: Found = proof["found"]
    dead_s = found.deaths["foresail"][1] - found.deaths["foresail"][0]
    for explained in found.explained.values():
        assert explained.without_words == 0
        assert explained.ticks >= 0.97 * (explained.due - dead_s / found.constants.tick_s)
    assert all("granted" in words for words in found.explanations)


def test_the_measurement_itself_was_sound(proof):
    found: Found = proof["found"]
    assert found.failed_looks == []
    looks = found.scene.minutes * 4
    assert found.late_looks <= 0.02 * looks
    assert abs(found.clock_off_s) <= found.constants.tick_s
