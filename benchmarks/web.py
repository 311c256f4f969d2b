"""The page in the browser: from its load to listening, and a window through the network, in headless Chromium."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure
from tests.browser import browsing

ROOT = Path(__file__).resolve().parents[1]
LOADS, WINDOWS = 7, 100

# Loads the page in a fresh context of the browser, and returns the milliseconds until its microphone is heard.
LISTEN = """
    const until = async (isSo) => { while (!isSo()) await new Promise((next) => setTimeout(next, 5)); };
    const listen = document.querySelector("#listen");
    return until(() => !listen.disabled)
        .then(() => listen.click())
        .then(() => until(() => document.querySelector("#status").textContent === "Listening"))
        .then(() => performance.now());
"""

# Runs the network on clips of noise, one after the other, and returns the milliseconds that each took.
RUN = """
    const [count, names] = arguments;
    return Promise.all([import("./network.js"), fetch("model.json").then((answer) => answer.json())])
        .then(async ([{ Network }, model]) => {
            const network = new Network(), times = [];
            const clip = Float32Array.from({ length: model.clip_length }, () => Math.random() - 0.5);
            const asked = names ? ["probabilities", "spectrogram", ...model.stages] : ["probabilities"];
            for (let number = -10; number < count; number++) {
                const start = performance.now();
                await network.run(clip, asked);
                if (number >= 0) times.push(performance.now() - start);
            }
            return times;
        });
"""


@contextmanager
def given_out() -> Iterator[str]:
    """Write the page of the shipped commands, and give it out as the documentation says; yield its address."""
    with tempfile.TemporaryDirectory() as folder:
        page = [sys.executable, "-m", "audionet", "export", "commands", "--format", "web", "--output", folder]
        subprocess.run(page, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        serve = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder]
        with subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            try:
                assert server.stdout is not None
                yield server.stdout.readline().partition("(")[2].partition(")")[0]
            finally:
                server.terminate()


def load(address: str) -> float:
    """Return the seconds from the load of the page to listening, in a browser that has never seen it."""
    flags = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    with browsing(*flags) as browser:
        time.sleep(1)  # the browser's own start is not the page's
        browser.open(address)
        return float(browser.run(LISTEN)) / 1000


def windows(address: str, count: int, *, inside: bool) -> list[float]:
    """Return the milliseconds that each window takes from the page to its worker and back, with or without the maps."""
    with browsing() as browser:
        browser.open(address)
        return [float(each) for each in browser.run(RUN, count, inside)]


def run(*, tiny: bool = False) -> tuple[dict[str, Any], list[Figure]]:
    """Measure; ``tiny`` only sees that everything runs."""
    loads, count = (1, 5) if tiny else (LOADS, WINDOWS)
    with given_out() as address:
        figures = [
            Figure(
                "from load to listening, loopback, nothing kept from before",
                "s",
                [load(address) for _ in range(loads)],
                at_most=2,
            ),
            Figure("a window, words only", "ms", windows(address, count, inside=False)),
            Figure("a window with the maps of all stages", "ms", windows(address, count, inside=True)),
        ]
    with browsing() as browser:
        version = browser.devtools("Browser.getVersion")["product"]
    return {"browser": f"{version}, headless, one thread", "network": "the shipped commands, windows of 1 s"}, figures
