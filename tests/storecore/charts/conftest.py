"""What the tests of charts share: a store with a bit of all, and a real browser.

Screenshots are written to the folder that STORECORE_SCREENSHOTS names, or to pytest's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import storecore
from storecore import Action, Decision, Event, Order, OrderResult, PriceBar

FIRST, DAY = datetime(2026, 1, 5, tzinfo=UTC), timedelta(days=1)  # a Monday
HOSTILE = "</script><script>document.title='hacked'</script><b>&amp;\x00\u202efed"


def weekdays(count):
    """Days without weekends."""
    days = (FIRST + n * DAY for n in range(2 * count))
    return [day for day in days if day.weekday() < 5][:count]


def bars(dates, **extra):
    """Bars that rise and fall."""
    found = []
    for n, date in enumerate(dates):
        at = 100 + n % 40 - n % 7
        further = {name: value(n) for name, value in extra.items()} or None
        found.append(PriceBar("AAPL", date, at, at + 3, at - 2, at + n % 3 - 1, 1000 + n, further))
    return found


@pytest.fixture
def store():
    """A store with 40 bars, a decision of each kind, an order, a split and an event."""
    with storecore.open_store("memory") as made:
        days = weekdays(40)
        made.write_bars("AAPL", bars(days, vwap=lambda n: n / 2, venue=lambda n: "XNYS"))
        for n, action in enumerate(Action):
            decision = Decision("AAPL", action, 0.25, 0.5, f"reason {n}: {action.value}")
            made.log_decision("value", decision, as_of=days[5 * n + 3] + DAY)
        made.log_decision(
            "value", Decision("AAPL", Action.BUY, 0, 0, HOSTILE), as_of=days[30] + DAY
        )
        order = Order("value", "AAPL", "BUY", 10, "LIMIT", 101.5)
        opening = timedelta(hours=14)
        made.log_order(
            "value", order, OrderResult(7, "filled", 101.0, 10, "at once"), as_of=days[9] + opening
        )
        rejected = Order("value", "AAPL", "SELL", 10, "MARKET")
        made.log_order("value", rejected, OrderResult(8, "rejected"), as_of=days[20] + opening)
        made.log_decision("value", Decision("MSFT", Action.BUY, 0, 0, "another"), as_of=days[4])
        made.write_event(Event("split", "AAPL", days[12], days[12], "exchange", {"ratio": 2}))
        made.write_event(Event("dividend", "AAPL", days[14], days[14], "exchange", {"amount": 1}))
        made.write_event(Event("news", "AAPL", days[16], days[16], "wire", {"title": HOSTILE}))
        yield made


def _runs(path):
    """Tell a browser from Ubuntu's script of that name, which only asks for a snap."""
    return subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")  # while it is there, an event loop of its own runs in this thread
def chromium():
    """A headless browser of this machine."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = filter(None, map(shutil.which, ("chromium", "chromium-browser")))
    path = next(filter(_runs, found), None)
    if path is None:
        pytest.skip("there is no chromium on this machine: apt-get install chromium")
    with sync_api.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def screenshots(tmp_path):
    folder = Path(os.environ.get("STORECORE_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def note(screenshots):
    """Keep what was measured beside the screenshots."""

    def note(what, measured):
        with (screenshots / "measured.txt").open("a", encoding="utf-8") as file:
            file.write(f"{what}: {measured}\n")

    return note


@pytest.fixture
def browse(chromium, tmp_path):
    """Open a page from a file, and collect what it says and asks the network for."""
    contexts = []

    def browse(content, *, scheme="light", size=(1280, 800)):
        file = tmp_path / "page.html"
        file.write_text(content, encoding="utf-8")
        viewport = {"width": size[0], "height": size[1]}
        context = chromium.new_context(color_scheme=scheme, viewport=viewport)
        contexts.append(context)
        page = context.new_page()
        page.errors, page.requests = [], []
        page.on("console", lambda said: said.type == "error" and page.errors.append(said.text))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        page.goto(file.as_uri())
        return page

    yield browse
    for context in contexts:
        context.close()
