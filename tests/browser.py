"""A real browser for tests: headless Chromium, driven by the WebDriver protocol of chromedriver, without a library."""

import json
import re
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's key of a reference to an element


class Browser:
    """A session of a browser."""

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, method: str, path: str, **values: Any) -> Any:
        """Send a command of the protocol, https://www.w3.org/TR/webdriver2, and return its value."""
        body = json.dumps(values).encode() if method == "POST" else None
        request = Request(f"{self.address}{path}", body, {"Content-Type": "application/json"}, method=method)
        with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, page: Path | str) -> None:
        """Open a file, or an address."""
        self.ask("POST", "/url", url=page if isinstance(page, str) else page.resolve().as_uri())

    def type(self, selector: str, text: str) -> None:
        """Type into an element; into one for files, the path of one."""
        self.ask("POST", f"/element/{self.find(selector)}/value", text=text)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of a function in the page; a promise is waited for."""
        return self.ask("POST", "/execute/sync", script=script, args=[*arguments])

    def find(self, selector: str) -> str:
        """Return the reference of the first element of a selector."""
        found: str = self.ask("POST", "/element", using="css selector", value=selector)[ELEMENT]
        return found

    def click(self, selector: str) -> None:
        """Move the mouse to the middle of an element and press it, as a person does."""
        where = {ELEMENT: self.find(selector)}
        self.run("arguments[0].scrollIntoView({block: 'center'})", where)
        moves = [
            {"type": "pointerMove", "duration": 0, "origin": where, "x": 0, "y": 0},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self.ask("POST", "/actions", actions=[{"type": "pointer", "id": "mouse", "actions": moves}])

    def press(self, key: str) -> None:
        """Press a key on the keyboard."""
        moves = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self.ask("POST", "/actions", actions=[{"type": "key", "id": "keys", "actions": moves}])

    def devtools(self, command: str, **values: Any) -> Any:
        """Send a command of the Chrome DevTools protocol."""
        return self.ask("POST", "/goog/cdp/execute", cmd=command, params=values)

    def show(self, *, width: int, height: int = 900, dark: bool = False) -> None:
        """Set the size of the window, and whether its user likes it dark."""
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self) -> bytes:
        """Return the PNG of the whole page."""
        made = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return b64decode(made["data"])


@contextmanager
def browsing(*flags: str) -> Iterator[Browser]:
    """Start a browser with some flags of its own, and end it; skip the test where there is none."""
    chromium, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if chromium is None or driver is None:
        pytest.skip("chromium or chromedriver is not installed")
    with TemporaryDirectory() as profile:
        process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            port = next(
                found[1] for line in process.stdout if (found := re.search(r"success.* on port (\d+)", line.strip()))
            )
            usual = ["--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio", f"--user-data-dir={profile}"]
            options = {"binary": chromium, "args": [*usual, *flags]}
            logs = {"browser": "ALL", "performance": "ALL"}
            wanted = {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": logs}}
            starter = Browser(f"http://127.0.0.1:{port}/session")
            session = starter.ask("POST", "", capabilities=wanted)["sessionId"]
            browser = Browser(f"http://127.0.0.1:{port}/session/{session}")
            yield browser
            browser.ask("DELETE", "")
        finally:
            process.terminate()
            process.wait()
