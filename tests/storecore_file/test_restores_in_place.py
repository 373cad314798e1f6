"""A backup may come back into the very files that a store knows, with their sizes and times.

`cp -a` and `rsync --inplace` write into the files that are there. What a store object has kept must
then not answer for what is there now, and no write may follow from what was there before.
"""

from __future__ import annotations

import os
import subprocess
import time
from datetime import UTC, datetime

import pytest

from storecore import Action, Decision, Event, PriceBar
from storecore_file import FileDataStore

DAY = datetime(2024, 1, 2, 12, tzinfo=UTC)
SETTLED = 0.1  # s: then every later change has another time


@pytest.fixture
def folders(tmp_path):
    return tmp_path / "store", tmp_path / "backup"


def restore_in_place(backup, store):
    """Copy each file of a backup into that of the store; size and time of modification stay."""
    for path in backup.rglob("*"):
        target = store / path.relative_to(backup)
        if path.is_file() and target.exists() and target.stat().st_size == path.stat().st_size:
            before = target.stat()
            with target.open("r+b") as file:
                file.write(path.read_bytes())
            os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))


def decision(reason):
    return Decision(
        symbol="A", action=Action.BUY, target_weight=0.5, confidence=0.5, reasoning=reason
    )


def news(symbol):
    return Event(
        type="news", symbol=symbol, timestamp=DAY, ingested_at=DAY, source="wire", payload={}
    )


def bar(day, close=1.0, extra=None):
    date = datetime(2024, 1, day, tzinfo=UTC)
    return PriceBar("A", date, 1.0, 2.0, 0.5, close, 7, extra)


def test_the_symbols_of_events_are_those_of_the_restored_day(folders):
    for folder, symbol in zip(folders, ("AAPL", "MSFT"), strict=True):
        with FileDataStore(folder) as store:
            store.write_event(news(symbol))
    time.sleep(SETTLED)
    reader = FileDataStore(folders[0])
    assert reader.event_symbols() == ["AAPL"]
    restore_in_place(*reversed(folders))
    assert reader.event_symbols() == ["MSFT"]
    reader.rename_symbol("MSFT", "META")  # asks for the days that have the symbol
    assert [each.symbol for each in reader.read_events()] == ["META"]


def test_the_inventory_has_the_dates_of_the_restored_partition(folders):
    for folder, day in zip(folders, (2, 5), strict=True):
        with FileDataStore(folder) as store:
            store.write_bars("A", [bar(day)])
    time.sleep(SETTLED)
    reader = FileDataStore(folders[0])
    assert reader.inventory()[0].first.day == 2
    restore_in_place(*reversed(folders))
    assert reader.inventory()[0].first.day == 5


def test_the_replaced_versions_are_those_of_the_restored_log(folders):
    for folder, close in zip(folders, (3.0, 4.0), strict=True):
        with FileDataStore(folder) as store:
            store.write_bars("A", [bar(2, close)])
            store.write_bars("A", [bar(2, 1.0)])
    time.sleep(SETTLED)
    reader = FileDataStore(folders[0])
    assert [each.bar.close for each in reader.bar_versions("A")] == [3.0, 1.0]
    restore_in_place(*reversed(folders))
    assert [each.bar.close for each in reader.bar_versions("A")] == [4.0, 1.0]


def test_the_kinds_of_further_columns_are_those_of_the_restored_partition(folders):
    for folder, value in zip(folders, (1.5, 2), strict=True):
        with FileDataStore(folder) as store:
            store.write_bars("A", [bar(2, extra={"vwap": value})])
    path = "prices/A/2024-01.parquet"
    time.sleep(SETTLED)
    reader = FileDataStore(folders[0])
    assert reader.read_bar_table("A", columns=["vwap"]).schema.field("vwap").type == "double"
    content = (folders[1] / path).read_bytes()
    before = (folders[0] / path).stat()
    with (folders[0] / path).open("r+b") as file:
        file.write(content)
        file.truncate()
    os.utime(folders[0] / path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert reader.read_bar_table("A", columns=["vwap"]).schema.field("vwap").type == "int64"


def test_the_next_record_follows_the_one_that_is_there_now(folders):
    """A restore cut the log, and another process has written a record of the same length."""
    folder, backup = folders
    first = FileDataStore(folder)
    first.log_decision("s", decision("1"))
    subprocess.run(["cp", "-a", folder, backup], check=True)
    first.log_decision("s", decision("X"))
    subprocess.run(["cp", "-a", f"{backup}/.", folder], check=True)
    FileDataStore(folder).log_decision("s", decision("Y"))
    first.log_decision("s", decision("Z"))
    found = [each.decision.reasoning for each in first.read_decisions()]
    assert found == ["1", "Y", "Z"]
    assert first.verify_audit().ok
