"""A sale and a flash crowd of the SYNTHETIC shop on a real control plane: HPA alone, with our floor, KEDA, we alone.

Real are Prometheus (fourteen days of history, then live scrapes), API server, etcd, controllers with the HPA, KEDA,
helm that installs our chart, and `foresail operator` with the rights that the chart grants; pods are kwok's.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hack.real_world.constants import STEP_S, Constants  # noqa: E402 - found from the root
from hack.real_world.proof import Found, line  # noqa: E402
from hack.real_world.report import Row, picture, table, twins  # noqa: E402
from hack.real_world.samples import Sampler  # noqa: E402
from hack.real_world.scene import Scene, sale_day, step_of, time_of  # noqa: E402
from hack.real_world.world import QUICK, Stage  # noqa: E402
from hack.real_world.worlds import Scaler, World, four_worlds  # noqa: E402
from tests.real.parts import require_part  # noqa: E402

WORLDS = [*four_worlds(), World("with-foresail-85", Scaler.FLOOR, 85)]
MOMENTS = {
    "11:58": "two minutes before the daily sale: the floor is on its way up, the HPA alone waits for demand",
    "12:07": "the ramp of the sale",
    "12:42": "the flash crowd, which nobody could know: all react, none is ahead",
    "12:55": "afterwards: floors come down by 10 % a minute at most",
}
TOLD_EVERY_S = 120


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/demo-real"), help="folder for record and picture")
    given = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell may have left the latter ignored
        signal.signal(number, _stopped)
    given.out.mkdir(parents=True, exist_ok=True)
    scene, constants = sale_day(), Constants(ready_s=180)
    _introduce(scene, constants)
    try:
        with tempfile.TemporaryDirectory(prefix="foresail-") as scratch:
            found = play(scene, constants, Path(scratch), given.out)
    except KeyboardInterrupt:
        raise SystemExit("stopped; everything that was started has ended") from None
    conclude(found, given.out)


def _stopped(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(f"signal {number}")


def _introduce(scene: Scene, constants: Constants) -> None:
    real_minutes = (scene.end_step - scene.start_step) * STEP_S / constants.speed / 60
    sync, policy, window = (
        constants.real(s) for s in (constants.sync_s, constants.policy_s, constants.stabilization_s)
    )
    print(f"{scene.name}")
    print(f"time scale {constants.speed}x: about {real_minutes:.0f} minutes, and one more to start the servers")
    print(f"  HPA: sync {sync:g} s (15 s), policies per {policy:g} s (15 s), stabilization {window:g} s (300 s)")
    print(f"  pods are Ready after {constants.real(constants.ready_s):g} s ({constants.ready_s} s)")
    print(f"  controllers: {' '.join(QUICK)}")
    print(f"  a replica serves {scene.capacity:g} requests/s; accepted risk {constants.risk}\n")


def play(scene: Scene, constants: Constants, folder: Path, out: Path) -> Found:
    began, found = time.monotonic(), Found(scene, constants)
    print(
        "starting etcd, kube-apiserver, kube-controller-manager, kwok, Prometheus and KEDA; helm install ...",
        flush=True,
    )
    _clear(out)
    with Stage(scene, constants, folder, WORLDS, record=out) as stage:
        print(f"all run after {time.monotonic() - began:.0f} s; in another terminal you can look for yourself:")
        print(f"  KUBECONFIG={stage.plane.kubeconfig()} {require_part('kubectl')} get pa,hpa -A --watch")
        print(f"  .venv/bin/foresail get --watch --store {out / 'foresail.db'}\n", flush=True)
        stage.begin()
        sampler = Sampler(stage)
        sampler.start()
        try:
            for moment, words in MOMENTS.items():
                _until(stage, sampler, step_of(f"{time_of(scene.score_step):%Y-%m-%d}T{moment}"))
                _show(stage, moment, words)
            _until(stage, sampler, scene.end_step)
        finally:
            sampler.stop()
        stage.foresail.end()
        found.samples = sampler.taken
        found.figures = {world.name: sampler.figures(world.name, scene) for world in WORLDS}
        found.late_looks, found.failed_looks = sampler.late, sampler.failed
        print("\nwhy, in the product's words, at noon:")
        print(
            stage.foresail.call(
                "explain", "with-foresail/web", "--at", f"{time_of(scene.score_step):%Y-%m-%d}T12:00:00Z"
            )
        )
    return found


def _clear(out: Path) -> None:
    """Of an earlier demo's record: that day is lived anew."""
    for stale in out.glob("foresail*"):
        if stale.is_dir():
            shutil.rmtree(stale)
        else:
            stale.unlink()


def _until(stage: Stage, sampler: Sampler, step: int) -> None:
    while (now_s := stage.clock.now_s()) < step * STEP_S:
        stage.clock.sleep_until(min(step * STEP_S, (now_s // TOLD_EVERY_S + 1) * TOLD_EVERY_S))
        print(f"{time_of(stage.clock.now_s() / STEP_S):%H:%M} {line(sampler)}", flush=True)


def _show(stage: Stage, moment: str, words: str) -> None:
    print(f"\n--- {moment}: {words}\n$ kubectl get hpa,deploy -A")
    print(stage.kubectl("get", "hpa,deploy", "-A").strip())
    print(f"$ kubectl get pa -A\n{stage.kubectl('get', 'pa', '-A').strip()}")
    print(f"$ foresail get\n{stage.foresail.call('get').strip()}\n", flush=True)


def conclude(found: Found, out: Path) -> None:
    scene = found.scene
    print(f"\n{scene.minutes} minutes of the same demand, side by side on the real control plane:\n")
    print(table("", {name: Row.real(figures) for name, figures in found.figures.items()}))
    print("the simulator with the same constants:\n")
    print(table("", twins(scene, found.constants, WORLDS)))
    alone, ours = (found.figures[world.name] for world in WORLDS[:2])
    more = 100 * (ours.replica_hours / alone.replica_hours - 1)
    print(
        f"the HPA alone was short for {alone.short_minutes:g} min, with our floor for {ours.short_minutes:g} min, "
        f"at {more:+.1f} % replica-hours"
    )
    if found.failed_looks or found.late_looks:
        print(f"note: {found.late_looks} looks came late, {len(found.failed_looks)} failed: a busy machine")
    picture(found, out / "demo-real.png")
    print(f"picture: {out / 'demo-real.png'}")
    print(
        f"ask why: .venv/bin/foresail explain with-foresail/web --store {out / 'foresail.db'} --at 2026-06-12T12:00:00Z"
    )


if __name__ == "__main__":
    main()
