"""A headless Chromium by its DevTools protocol over two pipes, with the standard
library alone.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--remote-debugging-pipe",
)


def executable() -> str:
    """Return the path of a Chromium.

    Raises
    ------
    FileNotFoundError
        If there is none; `.ci/run` installs Debian's, or leaves these tests out and
        says so.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise FileNotFoundError(
            "no Chromium: apt-get install chromium, or leave these tests out: -m 'not "
            "browser'"
        )
    return found


class Chromium:
    """One browser with one page; `console`, `requests` and `errors` have what the page
    did.
    """

    def __init__(self) -> None:
        self.profile = tempfile.TemporaryDirectory(
            prefix="chromium-", ignore_cleanup_errors=True
        )
        pipes = [*os.pipe(), *os.pipe()]
        to_read, self.write_to, self.read_from, to_write = (
            fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in pipes
        )
        for end in pipes:  # the browser's own are 3 and 4
            os.close(end)
        command = [
            executable(),
            *FLAGS,
            f"--user-data-dir={self.profile.name}",
            "about:blank",
        ]
        script = f'exec "$@" 4>&{to_write} 3<&{to_read}'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "chromium", *command],
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self.rest, self.number, self.session = b"", 0, ""
        self.console: list[str] = []
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.loaded = False
        target = next(
            t
            for t in self.call("Target.getTargets")["targetInfos"]
            if t["type"] == "page"
        )
        attached = self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.session = ""
            self.call("Browser.close")
        except (OSError, EOFError):
            self.process.kill()
        self.process.wait()
        os.close(self.write_to)
        os.close(self.read_from)
        self.profile.cleanup()

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Send a command, and return its result; events until then are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": arguments}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_to, json.dumps(message).encode() + b"\0")
        while True:
            found = self._message()
            if found.get("id") == self.number:
                if "error" in found:
                    raise OSError(f"{method}: {found['error']}")
                return dict(found["result"])
            self._event(found)

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            some = os.read(self.read_from, 1 << 20)
            if not some:
                raise EOFError("Chromium has ended")
            self.rest += some
        line, _, self.rest = self.rest.partition(b"\0")
        return dict(json.loads(line))

    def _event(self, found: dict[str, Any]) -> None:
        method, params = found.get("method"), found.get("params", {})
        if method == "Runtime.consoleAPICalled":
            self.console.append(str(params["args"]))
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.errors.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Page.loadEventFired":
            self.loaded = True

    def open(self, path: Path) -> float:
        """Open a file, and return the seconds until it is loaded and its scripts have
        run.
        """
        self.loaded = False
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not self.loaded:
            self._event(self._message())
        timing = "performance.getEntriesByType('navigation')[0].loadEventEnd"
        while not (end := self.value(timing)):
            pass
        return float(end) / 1000

    def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in found:
            raise OSError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def screen(
        self,
        width: int,
        height: int,
        *,
        dark: bool = False,
        mobile: bool = False,
        print_: bool = False,
    ) -> None:
        """Set the size of the screen, its colors and its medium."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call(
            "Emulation.setEmulatedMedia",
            media="print" if print_ else "",
            features=[scheme],
        )

    def screenshot(self, path: Path) -> None:
        """Save the whole page as PNG."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def press(self, key: str) -> None:
        """Press a key."""
        codes = {"Tab": 9, "Enter": 13}
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            some = text if kind == "keyDown" else {}
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=codes[key],
                **some,
            )
