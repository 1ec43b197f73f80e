"""A real browser, driven over Chromium's own debugging pipe: no further package is needed."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--remote-debugging-pipe",
)  # fmt: skip


#: Chromium reads commands from descriptor 3 and answers on 4; the pipes are moved there past whatever has those numbers now.
START = """
import fcntl, os, sys
pipes = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
for target, pipe in zip((3, 4), pipes):
    os.dup2(pipe, target)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """One tab. `events` holds what the browser reported since the last `goto`."""

    def __init__(self, profile: Path) -> None:
        inbox, self._to = os.pipe()
        self._from, outbox = os.pipe()
        start = [sys.executable, "-c", START, str(inbox), str(outbox), str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen(start, pass_fds=(inbox, outbox), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(inbox)
        os.close(outbox)
        self._buffer, self._number, self._session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _read(self, seconds: float = 30) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while b"\0" not in self._buffer:
            if not select.select([self._from], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            piece = os.read(self._from, 1 << 20)
            if not piece:
                raise ConnectionError("the browser has gone")
            self._buffer += piece
        message, self._buffer = self._buffer.split(b"\0", 1)
        return dict(json.loads(message))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self.events.append(answer)

    def goto(self, path: Path, width: int = 1280) -> None:
        """Open a file and wait until it has loaded and drawn."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())
        self.settle()

    def at(self, path: Path) -> None:
        """Open a file unless it is open already: the library takes a second to load."""
        if self.js("location.href") != path.as_uri() or self.js("innerWidth") != 1280:
            self.goto(path)

    def settle(self) -> None:
        """Let everything be drawn that waits to be drawn."""
        self.js("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 150)))")

    def js(self, expression: str) -> Any:
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def complaints(self) -> list[str]:
        """What a developer would see on the console: errors, warnings, anything printed, refused requests."""
        methods = "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"
        return [json.dumps(event["params"])[:500] for event in self.events if event.get("method") in methods]

    def requests(self) -> list[str]:
        """The addresses that were asked for, without those that hold their content themselves."""
        asked = [event["params"]["request"]["url"] for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith(("data:", "blob:"))]

    def close(self) -> None:
        """End the browser, and nothing else."""
        self.process.terminate()
        self.process.wait(20)
        os.close(self._to)
        os.close(self._from)
