"""What CONTRIBUTING.md shows works: its backend is installed, opened by name and obeys laws."""

from __future__ import annotations

import re
import sys
from datetime import date, datetime
from pathlib import Path

import pytest

import storecore
from storecore import (
    Action,
    ConfigError,
    DataStore,
    Decision,
    Event,
    FundamentalData,
    InvalidData,
    NotSerializable,
    Order,
    OrderResult,
    PriceBar,
    StoreClosed,
)

PAGE = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text()
SOURCE = next(code for code in re.findall(r"```python\n(.*?)```", PAGE, re.S) if "sqlite3" in code)
ENTRY_POINT = next(
    re.finditer(r'```toml\n\[project\.entry-points\."(.+?)"\]\n(.*?)```', PAGE, re.S)
)
DAY = datetime(2026, 1, 5)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The page's backend as an installed distribution, found through its entry point."""
    site = tmp_path / "site"
    info = site / "storecore_sqlite-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "storecore_sqlite.py").write_text(SOURCE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: storecore-sqlite\nVersion: 1.0\n")
    group, declared = ENTRY_POINT.groups()
    (info / "entry_points.txt").write_text(f"[{group}]\n{declared.replace(chr(34), '')}")
    monkeypatch.syspath_prepend(site)
    yield
    sys.modules.pop("storecore_sqlite", None)


@pytest.fixture
def sqlite(installed, tmp_path):
    """An open store of the page's backend."""
    with storecore.open_store("sqlite", path=tmp_path / "desk.db") as store:
        yield store
    store._file.close()


def bar(day, close, volume=1000):
    return PriceBar("AAPL", date(2026, 1, day), 99.0, 101.0, 98.0, close, volume)


def test_the_page_keeps_its_promise_of_70_lines():
    assert len(SOURCE.splitlines()) < 70


def test_the_backend_is_a_data_store_and_is_listed(sqlite):
    assert isinstance(sqlite, DataStore)
    listed = {each.name: each.distribution for each in storecore.backends()}
    assert listed["sqlite"] == "storecore-sqlite"


def test_its_bars_are_upserted_sorted_and_exact(sqlite):
    sqlite.write_bars("AAPL", [bar(6, 1.0), bar(5, 2.0, volume=2**60 + 1)])
    sqlite.write_bars("AAPL", [bar(6, 3.0, volume=0.5)])
    read = sqlite.read_bars("AAPL", date(2026, 1, 5), date(2026, 1, 6))
    assert [(each.close, each.volume) for each in read] == [(2.0, 2**60 + 1), (3.0, 0.5)]
    assert sqlite.read_bars("NONE", date.min, date.max) == []


def test_its_batches_are_checked_whole(sqlite):
    with pytest.raises(InvalidData, match=r"bars\[1\]\.close"):
        sqlite.write_bars("AAPL", [bar(5, 1.0), bar(6, float("nan"))])
    assert sqlite.read_bars("AAPL", date.min, date.max) == []


def test_its_fundamentals_are_read_as_of(sqlite):
    for day in (6, 5):
        sqlite.write_fundamental(
            "AAPL",
            FundamentalData(
                symbol="AAPL",
                timestamp=datetime(2026, 1, day),
                company_name="Apple",
                cik="320193",
                employees=day,
                raw_xml="",
            ),
        )
    assert sqlite.read_fundamental("AAPL").employees == 6
    assert sqlite.read_fundamental("AAPL", as_of=DAY).employees == 5
    assert sqlite.read_fundamental("NONE") is None


def test_its_events_keep_the_order_of_writing(sqlite):
    for number in (2, 1):
        sqlite.write_event(Event("news", None, DAY, DAY, "feed", {"number": number}))
    read = sqlite.read_events(DAY, DAY, types=["news"])
    assert [each.payload["number"] for each in read] == [2, 1]


def test_its_state_is_lossless_or_refused(sqlite):
    assert sqlite.load_strategy_state("value") is None
    sqlite.save_strategy_state("value", {"cash": 1.5})
    with pytest.raises(NotSerializable, match=r"\$\.cash"):
        sqlite.save_strategy_state("value", {"cash": (1, 5)})
    assert sqlite.load_strategy_state("value") == {"cash": 1.5}


def test_its_audit_log_is_a_chain(sqlite):
    for _ in range(3):
        sqlite.log_decision("value", Decision("AAPL", Action.BUY, 0.5, 0.9, "cheap"))
    sqlite.log_order(
        "value", Order("value", "AAPL", "BUY", 1, "MARKET"), OrderResult("1", "filled")
    )
    lines = [("", line) for _, line in sqlite._read("decision", "")]
    assert storecore.laws.audit_report({"decisions": lines}).checked == 3


def test_it_is_closed_after_close(sqlite):
    sqlite.close()
    with pytest.raises(StoreClosed):
        sqlite.load_strategy_state("value")


def test_its_options_are_checked(installed):
    with pytest.raises(ConfigError, match="did you mean 'path'"):
        storecore.open_store("sqlite", pth="desk.db")
