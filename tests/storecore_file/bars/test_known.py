"""Views of bars that were still forming: what is read with the others is what the versions say."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from storecore import PriceBar, open_store
from storecore.knowledge import clock
from storecore.values.times import exact_instant
from storecore_file import FileDataStore
from storecore_file.bars.collection import Bars

DAY = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def bars(first, count, close, symbol="A"):
    days = range(first, first + count)
    return [PriceBar(symbol, DAY + timedelta(each), 1.0, 2.0, 0.5, close, 7) for each in days]


def table(first, count, close, symbols="AB", **further):
    rows = [bar for symbol in symbols for bar in bars(first, count, close, symbol)]
    columns = {
        name: [getattr(row, name) for row in rows] for name in PriceBar.__struct_fields__[:7]
    }
    return pa.table(columns | {name: [value] * len(rows) for name, value in further.items()})


@pytest.fixture
def now(monkeypatch):
    """Set the machine's clock to a day, as a number after `DAY`."""

    def at(day):
        moment = exact_instant(DAY + timedelta(day), "now")
        monkeypatch.setattr(clock, "machine_now", lambda: moment)
        monkeypatch.setattr("storecore_file.history.machine_now", lambda: moment)

    return at


def one(store, now):
    """Bars that are all recorded early, or late, each in a partition of one instant."""
    now(-50)
    store.write_bars("A", bars(0, 60, 1.0))


def appended(store, now):
    """Each bar is recorded as it begins, and again as it ends."""
    for day in range(30):
        now(day + 0.1)
        store.write_bars("A", bars(day, 1, 1.0))
        if day % 3:
            now(day + 1)
            store.write_bars("A", bars(day, 1, 2.0))


def mixed(store, now):
    """Bars dated later are recorded in turns with others."""
    for day in (5, 0, 7, 6, 9, 20, 2):
        now(day / 10)
        store.write_bars("A", bars(day, 2, day + 1.0))


def journaled(store, now):
    """Rows of the journal, several of a bar."""
    now(0)
    store.write_bars("A", bars(0, 20, 1.0))
    for hour in range(8):
        now(10 + hour / 8)
        store.write_bar_table(table(10, 1, 2.0 + hour))


def deleted(store, now):
    now(0)
    store.write_bars("A", bars(0, 20, 1.0))
    now(9.75)
    store.delete_bars("A", DAY + timedelta(9), DAY + timedelta(10))


def wide(store, now):
    """Further columns, whose kinds change, in partitions and in a log."""
    now(0)
    store.write_bar_table(table(0, 40, 1.0, "A", trades=7))
    now(8.5)
    store.write_bar_table(table(8, 2, 2.0, "A", trades=7.5, vwap=1.5))
    now(9.5)
    store.write_bars("A", bars(9, 1, 3.0))


HISTORIES = [one, appended, mixed, journaled, deleted, wide]


@pytest.fixture(params=HISTORIES, ids=lambda each: each.__name__)
def store(base, now, monkeypatch, request):
    """A store with one of the histories, made long before all of it, in small row groups."""
    monkeypatch.setattr("storecore_file.history.read_began", lambda *given: 1)
    monkeypatch.setattr("storecore_file.bars.partition.GROUP_ROWS", 4)
    with FileDataStore(base, durability="os") as made:
        request.param(made, now)
        yield made


def answers(view):
    asked = [
        {},
        {"last": 3},
        {"last": 1},
        {"start": DAY + timedelta(5)},
        {"start": DAY, "end": DAY + timedelta(9.5)},
    ]
    for each in asked:
        yield view.read_bars("A", **each)
        yield view.read_bar_table(["A", "B"], **each).to_pylist()
        yield view.read_bar_table("A", columns=["date", "volume"], **each).to_pylist()


def test_a_question_that_ends_within_a_partition_finds_the_instants_of_its_bars(
    base, now, monkeypatch
):
    monkeypatch.setattr("storecore_file.history.read_began", lambda *given: 1)
    monkeypatch.setattr("storecore_file.bars.partition.GROUP_ROWS", 4)
    with FileDataStore(base, durability="os") as store:
        appended(store, now)
        store.compact()
        view = store.at(DAY + timedelta(10.5))
        for last in range(30):
            end = DAY + timedelta(last)
            whole = store.read_bars("A", end=end)
            shown = view.read_bars("A", start=DAY, end=end)
            assert [each.date for each in shown] == [each.date for each in whole][:11]


@pytest.mark.parametrize("day", [0.5, 9.5, 15, 100])
def test_what_was_forming_is_shown_alike_once_it_is_kept_decoded(base, store, day, monkeypatch):
    monkeypatch.setattr("storecore_file.fs.disk._TICK", 10_000_000)
    time.sleep(0.012)  # now all files count as settled
    at = DAY + timedelta(day)
    with FileDataStore(base, cache_bytes=0) as cold:
        expected = list(answers(cold.at(at)))
    for _ in range(3):
        assert list(answers(store.at(at))) == expected


@pytest.mark.parametrize("day", [0, 0.5, 1, 8.5, 9, 9.5, 9.8, 10, 10.5, 11, 15, 29.5, 30, 100])
def test_what_was_forming_is_read_with_the_others_as_the_versions_say(store, day, monkeypatch):
    at = DAY + timedelta(day)
    quick = list(answers(store.at(at)))
    monkeypatch.setattr(Bars, "known", lambda *given: None)
    assert quick == list(answers(store.at(at)))


@pytest.mark.parametrize("budget", [0, 2**28])
@pytest.mark.parametrize("day", [1_000, 2_000.5, 2_700, 2_998.5])
def test_what_was_forming_within_a_long_partition_is_read_while_it_is_open(base, budget, day):
    """Its dates are needed to find when the bar was recorded: the file is closed by then."""
    given = [
        PriceBar("A", DAY + timedelta(each), each / 7, each / 11, each / 13, each / 17, each)
        for each in range(3_000)
    ]
    at, start = DAY + timedelta(day), DAY + timedelta(day - 10)
    with open_store("memory") as other, FileDataStore(base, durability="os") as store:
        for each in (other, store):
            each.write_bars("A", given)
        expected = other.at(at).read_bar_table("A", start).to_pylist()
    with FileDataStore(base, create=False, cache_bytes=budget) as store:
        for _ in range(2):
            assert store.at(at).read_bar_table("A", start).to_pylist() == expected
