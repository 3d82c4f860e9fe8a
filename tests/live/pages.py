"""What tests of the live page share: its files, and a browser."""

import math
import threading
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from rnn_controller.checkpoint import load_checkpoint
from rnn_controller.live.files import page_files
from rnn_controller.live.server import Server

CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
NAMES = ("reach", "circle", "follow", "reach-paper", "circle-paper")


@cache
def shipped_files():
    return page_files({name: load_checkpoint(name) for name in NAMES})


@contextmanager
def serving(server):
    """Serve in a thread until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def own_server():
    return serving(Server(shipped_files()))


def chromium():
    """The path of the system's browser; the test is skipped without one."""
    pytest.importorskip("playwright", reason="playwright is not installed")
    found = next((path for path in CHROMIUM if Path(path).exists()), None)
    if found is None:
        pytest.skip("there is no Chromium on this system")
    return found


def wait_for(page, expression, seconds=20.0):
    """The value of an expression as soon as it is true.

    The browser's own way to wait would need eval, which the page forbids.
    """
    end = time.monotonic() + seconds
    while not (value := page.evaluate(expression)):
        assert time.monotonic() < end, f"not within {seconds} s: {expression}"
        time.sleep(0.02)
    return value


def spot(page, place):
    """Where a place [m] lies in the window [pixels]."""
    box = page.locator("#arm").bounding_box()
    x, y = page.evaluate("place => live.screen(place)", list(place))
    return box["x"] + x, box["y"] + y


def drag(page, start, end):
    page.mouse.move(*spot(page, start))
    page.mouse.down()
    page.mouse.move(*spot(page, [(a + b) / 2 for a, b in zip(start, end, strict=True)]))
    page.mouse.move(*spot(page, end))
    page.mouse.up()


def distance(page):
    return math.dist(page.evaluate("live.hand"), page.evaluate("live.target"))


def slide(page, name, value):
    set_value = """(element, value) => {
        element.value = value;
        element.dispatchEvent(new Event("input", { bubbles: true }));
    }"""
    page.locator(f"#{name}").evaluate(set_value, value)


def settle(page, seconds):
    """Wait for simulated time."""
    start = page.evaluate("live.time")
    wait_for(page, f"live.time > {start + seconds}", 60)
