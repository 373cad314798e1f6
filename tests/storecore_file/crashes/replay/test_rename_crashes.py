"""A rename after every crash: the old name has all data of the symbol, or the new one has.

What is there is judged by a reader first, which changes nothing, and then by a writer that goes on.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from storecore import Event, FundamentalData, PriceBar
from storecore_file import FileDataStore
from storecore_file.bars.collection import Bars
from storecore_file.fs.disk import Disk
from storecore_file.rename_intent import Renames

JAN_5 = datetime(2026, 1, 5, tzinfo=UTC)
OLD, NEW = "FB", "META"


def bars(symbol, days):
    dates = [JAN_5 + timedelta(day) for day in days]
    return [PriceBar(symbol, date, 1.0, 2.0, 0.5, 1.5, 7) for date in dates]


def fill(store):
    store.write_bars(OLD, bars(OLD, range(12)))
    store.write_bars(OLD, bars(OLD, range(2)), timeframe="1h")
    data = {"company_name": "Facebook", "cik": "1", "raw_xml": ""}
    days = [JAN_5 + timedelta(day) for day in range(2)]
    store.write_fundamentals([FundamentalData(symbol=OLD, timestamp=day, **data) for day in days])
    store.write_events([Event("tick", OLD, day, day, "test", {}) for day in days])
    store.compact()
    store.write_events([Event("tick", symbol, *days[1:] * 2, "test", {}) for symbol in (OLD, "X")])
    rows = [bar for symbol in (OLD, "X") for bar in bars(symbol, [12])]
    names = PriceBar.__struct_fields__[:7]
    store.write_bar_table(pa.table({name: [getattr(row, name) for row in rows] for name in names}))


def sizes(store, symbol):
    """Return how many bars, fundamentals and events a symbol has; all questions must agree."""
    series = {name: len(store.read_bars(symbol, timeframe=name)) for name in ("1d", "1h")}
    filings, events = store.fundamentals(symbol), store.read_events(symbols=[symbol])
    assert {*store.timeframes(symbol)} == {name for name, count in series.items() if count}
    assert (symbol in store.symbols()) == any(series.values())
    assert (symbol in store.fundamental_symbols()) == bool(filings)
    assert (symbol in store.event_symbols()) == bool(events)
    counts = {each.timeframe: each.count for each in store.inventory() if each.symbol == symbol}
    assert counts == {name: count for name, count in series.items() if count}
    return [*series.values(), len(filings), len(events)]


ALL, NONE = [13, 2, 2, 3], [0, 0, 0, 0]


def wrong_after(folder, done):
    """Return what is wrong with a store after a crash, None where nothing is."""
    try:
        with FileDataStore(folder, create=False) as store:
            found = sizes(store, OLD), sizes(store, NEW)
            if found not in [(NONE, ALL), (ALL, NONE)] or (done and found[0] != NONE):
                return f"found {found}, {done=}"
            if store.verify().findings:
                return f"{store.verify().findings}"
        with FileDataStore(folder, durability="os") as store:
            if found[0] == ALL:
                store.write_bars(OLD, bars(OLD, [3]))
                store.rename_symbol(OLD, NEW)
            store.write_bars(NEW, bars(NEW, [40]))
            store.compact()
            if (sizes(store, OLD), sizes(store, NEW)) != (NONE, [14, 2, 2, 3]):
                return f"gone on: {sizes(store, OLD), sizes(store, NEW)}"
            if store.verify().findings or list(folder.rglob("renamed.symbol")):
                return f"gone on: {store.verify().findings}"
    except Exception as error:  # any is a fault here
        return f"{type(error).__name__}: {error}"
    return None


@pytest.fixture
def crashed(base, record, after_crashes, small):
    """Rename a symbol; yield what is wrong after each crash, None where nothing is."""

    def judge(every=1):
        with FileDataStore(base) as store:
            fill(store)
            store._bars._appended = False
        store = FileDataStore(base)
        with record(base) as recorder:
            store.rename_symbol(OLD, NEW)
            recorder.mark("done")
        store.close()
        for steps, folder in after_crashes(recorder, every=every):
            yield wrong_after(folder, any(step.what == "mark" for step in steps))
            shutil.rmtree(folder)

    return judge


@pytest.mark.parametrize("every", [70, pytest.param(1, marks=pytest.mark.soak)])
def test_d2_no_crash_leaves_a_part_of_a_rename(crashed, every):
    outcomes = list(crashed(every))
    print(f"{len(outcomes)} states after a crash")
    assert len(outcomes) > 100 / every
    assert [each for each in outcomes if each] == []


# A fault put into the package must be detected.


def removed_too_early(copy, self, intent):
    copy(self, intent)
    for folder in self.marked_folders(intent.old):
        self._disk.remove(*folder.glob("*.parquet"))


COPY = Bars.copy_symbol
FAULTS = {
    "old files that are not hidden": (
        Renames,
        "hides",
        lambda self, folder: folder == NEW and self.read().state == "prepared",
    ),
    "no folder sync": (Disk, "_sync_folder", lambda self, folder: None),
    "old bars removed before": (
        Bars,
        "copy_symbol",
        lambda *given: removed_too_early(COPY, *given),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.soak
def test_a_fault_is_detected(crashed, monkeypatch, fault):
    monkeypatch.setattr(*FAULTS[fault])
    assert any(crashed(3))
