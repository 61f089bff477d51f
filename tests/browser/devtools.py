"""A headless Chromium driven over its DevTools pipe: the standard library is enough, and no port is opened."""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ANSWER_S = 60.0
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage", "--mute-audio",
    "--disable-background-networking", "--no-first-run", "--disable-component-update", "--remote-debugging-pipe",
)  # fmt: skip


class Browser:
    """One browser with one page. requests: every URL that the page asked for; complaints: of its console."""

    def __init__(self, program: Path, profile: Path) -> None:
        to_read, self._to_write = os.pipe()
        self._from_read, from_write = os.pipe()
        # Chromium reads from 3 and writes to 4; a shell puts our pipes there
        command = f'exec "$0" "$@" 3<&{to_read} 4>&{from_write}'
        self._log = (profile.parent / f"{profile.name}.log").open("wb")
        self._process = subprocess.Popen(
            ["bash", "-c", command, str(program), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_read, from_write), stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
        )  # fmt: skip
        os.close(to_read)
        os.close(from_write)
        self._ids = itertools.count(1)
        self._buffer = b""
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(t["targetId"] for t in targets if t["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, why: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)
        os.close(self._to_write)
        os.close(self._from_read)
        self._log.close()

    def open(self, file: Path, *, width: int, height: int = 1000, scheme: str = "light") -> None:
        """Load a file as a reader would see it. scheme: light or dark, as the reader prefers."""
        self._events.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=file.resolve().as_uri())
        self._until(lambda: any(e["method"] == "Page.loadEventFired" for e in self._events))

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        said = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    @property
    def requests(self) -> list[str]:
        return [e["params"]["request"]["url"] for e in self._events if e["method"] == "Network.requestWillBeSent"]

    @property
    def complaints(self) -> list[Any]:
        bad = {"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"}
        return [e["params"] for e in self._events if e["method"] in bad]

    def picture(self, place: Path) -> None:
        """The whole page as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        said = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        place.write_bytes(base64.b64decode(said["data"]))

    def pdf(self, place: Path) -> None:
        said = self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        place.write_bytes(base64.b64decode(said["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to_write, json.dumps(message).encode() + b"\0")
        found: list[dict[str, Any]] = []

        def answered() -> bool:
            found.extend(e for e in self._events if e.get("id") == number)
            return bool(found)

        self._until(answered)
        self._events = [e for e in self._events if "method" in e]
        assert "error" not in found[0], f"{method}: {found[0].get('error')}"
        result: dict[str, Any] = found[0]["result"]
        return result

    def _until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + ANSWER_S
        while not true():
            left = end - time.monotonic()
            ready, _, _ = select.select([self._from_read], [], [], max(0.0, left))
            assert ready, f"the browser said nothing for {ANSWER_S:g} s"
            data = os.read(self._from_read, 1 << 20)
            assert data, "the browser has ended; see its log"
            *whole, self._buffer = (self._buffer + data).split(b"\0")
            self._events += [json.loads(each) for each in whole]
