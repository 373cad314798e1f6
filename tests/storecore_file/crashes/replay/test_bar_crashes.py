"""Laws B1, B4, D1 and D2 for bars after every crash: each bar is the acknowledged one, or newer.

Sizes are so small that appends split and merge parts, and tables of many symbols go through the
journal. Each operation is done to a store in memory too, which says what must be there: after a
crash, of what was not acknowledged any bar may be there or not. Then the operation is done again,
all is brought into few files and at last removed: nothing that was left over comes back to life.
"""

from __future__ import annotations

import itertools
import os
import shutil
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from storecore import PriceBar
from storecore.bars.checks import checked_rows
from storecore.builtin.memory import MemoryDataStore
from storecore_file import FileDataStore
from storecore_file.bars import collection, history
from storecore_file.bars.locked_series import LockedSeries
from storecore_file.fs import logs
from storecore_file.fs.disk import Disk, Staged
from storecore_file.fs.handles import write_all

DAY = datetime(2026, 1, 1, tzinfo=UTC)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SYMBOLS = ["AAPL", "MSFT", "BRK/B"]


def days(first, count, close, symbol="AAPL"):
    dates = [DAY + timedelta(first + each) for each in range(count)]
    return [PriceBar(symbol, date, 1.0, 2.0, 0.5, float(close), 7) for date in dates]


def write(first, count, close, symbol="AAPL"):
    return lambda store: store.write_bars(symbol, days(first, count, close, symbol))


def table(first, count, close, symbols=SYMBOLS):
    rows = [bar for symbol in symbols for bar in days(first, count, close, symbol)]
    columns = {name: [getattr(bar, name) for bar in rows] for name in PriceBar.__struct_fields__}
    return lambda store: store.write_bar_table(pa.table(columns))


def wide(first, count, close, trades, symbols=SYMBOLS):
    """Write a table with further columns, and volumes of which some were not reported."""
    rows = [bar for symbol in symbols for bar in days(first, count, close, symbol)]
    names = PriceBar.__struct_fields__[:-2]
    columns = {name: [getattr(bar, name) for bar in rows] for name in names}
    columns["volume"] = [None if number % 2 else 7 for number in range(len(rows))]
    columns |= {"vwap": [float(close)] * len(rows), "trades": [trades] * len(rows)}
    return lambda store: store.write_bar_table(pa.table(columns))


def delete(first, last, symbol="AAPL"):
    bounds = DAY + timedelta(first), DAY + timedelta(last)
    return lambda store: store.delete_bars(symbol, *bounds)


class Replace:
    """Make series exactly some bars: after a crash each is the old one or the new one, whole."""

    def __init__(self, first, count, close, symbols=("AAPL",)):
        self.symbols = symbols
        self.bars = {symbol: days(first, count, close, symbol) for symbol in symbols}

    def __call__(self, store):
        rows = [bar for bars in self.bars.values() for bar in bars]
        names = PriceBar.__struct_fields__[:7]
        table = pa.table({name: [getattr(bar, name) for bar in rows] for name in names})
        if isinstance(store, FileDataStore):
            return store._bars.replace("1d", checked_rows(table))
        for symbol in self.symbols:
            store.delete_bars(symbol, *ALWAYS)
        return store.write_bar_table(table)

    def is_torn(self, found, models):
        """Return whether a series is neither the old one nor the new one."""
        return any(
            series(found, symbol) not in [series(model, symbol) for model in models]
            for symbol in self.symbols
        )


def series(found, symbol):
    return {date: bar for (own, date), bar in found.items() if own == symbol}


def compact(store):
    store.compact()


SCENARIOS = {  # what was there, and what the crash comes into
    "appends that split and merge": (
        [write(0, 30, 1)],
        [write(30 + 8 * each, 8, 2 + each) for each in range(5)],
    ),
    "a batch that cuts a part": ([write(0, 19, 1)], [write(0, 75, 2), write(20, 1, 3)]),
    "a batch on both sides of a part": ([write(40, 9, 1)], [write(0, 110, 2), write(45, 2, 3)]),
    "tables through the journal": (
        [table(0, 2, 1)],
        [table(1, 2, 2), write(2, 1, 3), table(2, 1, 4), compact],
    ),
    "tables of many bars": (
        [table(0, 5, 1, SYMBOLS[:2])],
        [table(3, 6, 2, SYMBOLS[:2]), table(31, 4, 3, SYMBOLS[:2])],
    ),
    "a journal that is full": ([table(0, 3, 1)], [table(3 * n, 3, n) for n in range(1, 5)]),
    "bars that are deleted": (
        [write(0, 75, 1), write(75, 8, 2)],
        [delete(3, 5), delete(0, 40), delete(60, 200), delete(0, 400)],
    ),
    "journaled bars that are deleted": (
        [write(0, 10, 1), table(4, 3, 2)],
        [delete(5, 5), table(5, 2, 3), delete(0, 100), table(6, 1, 4)],
    ),
    "bars that are corrected": (
        [write(0, 12, 1), table(3, 1, 2)],
        [write(2, 3, 3), write(2, 3, 3), table(4, 2, 4), table(4, 2, 5), write(4, 1, 4), compact],
    ),
    "a series that is replaced": (
        [write(0, 30, 1), write(30, 9, 2)],
        [Replace(5, 8, 3), write(13, 2, 4)],
    ),
    "series of the journal that are replaced": (
        [write(0, 30, 1), table(28, 3, 2)],
        [Replace(5, 9, 3, SYMBOLS[:2]), table(13, 2, 4), Replace(0, 2, 5), compact],
    ),
    "a series that is replaced by a long one": (
        [write(0, 25, 1), table(90, 2, 2)],
        [Replace(0, 60, 3), write(60, 8, 4)],
    ),
    "further columns": (
        [table(0, 2, 1), write(40, 2, 1)],
        [
            wide(1, 1, 2, 1, SYMBOLS[:2]),  # into partitions
            wide(2, 1, 3, 2, SYMBOLS[:2]),  # into the journal
            write(2, 1, 4),
            wide(3, 1, 5, 2.5, SYMBOLS[:1]),  # whole numbers become floats
            delete(1, 3),
        ],
    ),
    "parts that are merged": (
        [write(31 * each, 8, each) for each in (8, 6, 4, 2, 0)],
        [compact, write(0, 1, 9), delete(0, 100), compact],
    ),
}
LONG = {
    "a journal that is full",
    "series of the journal that are replaced",
    "a series that is replaced by a long one",
}


def held(store):
    """Return the bars of a store by series and date; all ways to ask for them must agree."""
    found = {}
    for symbol in SYMBOLS:
        read = store.read_bars(symbol, *ALWAYS)
        coverage = store.bar_coverage(symbol)
        ends = (read[0].date, read[-1].date) if read else (None, None)
        assert (coverage.first, coverage.last, coverage.count) == (*ends, len(read))
        assert (symbol in store.symbols()) == bool(read)
        found.update({(symbol, bar.date): bar for bar in read})
        assert len(read) == len({bar.date for bar in read})
    return found


def histories(store):
    """Return the versions of each bar, one after the other, equal neighbours as one.

    No version is both past and present, and each begins when or after the one before has ended.
    """
    found = {}
    for symbol in SYMBOLS:
        for each in store.bar_versions(symbol, *ALWAYS):
            found.setdefault((symbol, each.bar.date), []).append(each)
    for versions in found.values():
        for one, other in itertools.pairwise(versions):
            assert one.recorded_at < one.replaced_at <= other.recorded_at
    present = {key: each[-1].bar for key, each in found.items() if each[-1].replaced_at is None}
    assert present == held(store)
    return {
        key: [bar for bar, _ in itertools.groupby(each.bar for each in versions)]
        for key, versions in found.items()
    }


@pytest.fixture
def crashed(base, record, after_crashes, small, monkeypatch):
    """Do a scenario; yield what is wrong after each crash, None where nothing is."""
    monkeypatch.setattr(collection, "WRITERS", 1)  # one after another, as they are recorded

    def judge(name, every=1):
        before, during = SCENARIOS[name]
        model = MemoryDataStore()
        with FileDataStore(base) as store:
            for step in before:
                step(store), step(model)
        models, pasts = [held(model)], [histories(model)]
        store = FileDataStore(base)
        with record(base) as recorder:
            for number, step in enumerate(during):
                step(store)
                recorder.mark(number)
        for step in during:
            if step is not compact:
                step(model)
            models.append(held(model))
            pasts.append(histories(model))
        store.close()
        for steps, folder in after_crashes(recorder, every=every):
            done = sum(step.what == "mark" for step in steps)
            known = pasts[done : done + 2]
            yield wrong_after(folder, models[done : done + 2], known, during[done:])
            shutil.rmtree(folder)

    return judge


def wrong_after(folder, models, pasts, undone):
    """Return what is wrong with a store after a crash, None where nothing is."""
    try:
        with FileDataStore(folder, durability="os") as store:
            found = held(store)
            for key in found.keys() | models[0].keys() | models[-1].keys():
                if found.get(key) not in [model.get(key) for model in models]:
                    return f"{key}: found {found.get(key)}"
            for key, versions in histories(store).items():
                if versions not in [past.get(key) for past in pasts]:
                    return f"{key}: found the versions {versions}"
            if isinstance(undone[:1] and undone[0], Replace) and undone[0].is_torn(found, models):
                return f"a series is torn: {found}"
            if store.verify().findings:
                return f"{store.verify().findings}"
            for step in undone[:1]:
                step(store)
            for _ in range(2):
                if held(store) != models[-1] or histories(store) != pasts[-1]:
                    return "the next write left something else"
                store.compact()
            for symbol in SYMBOLS:
                store.delete_bars(symbol, *ALWAYS)
            if held(store) or list(folder.rglob("[!.]*.parquet")):
                return f"something came back to life: {held(store)}"
    except Exception as error:  # any is a fault here
        return f"{type(error).__name__}: {error}"
    return None


@pytest.fixture(params=[60, pytest.param(1, marks=pytest.mark.soak)], ids=["a share", "all"])
def every(request):
    """Of how many trees one is laid out: a store of bars has many, each with many files."""
    return request.param


@pytest.mark.few(5)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.soak) if name in LONG else name for name in SCENARIOS],
)
def test_d1_no_crash_takes_an_acknowledged_bar_or_brings_one_back(crashed, name, every):
    outcomes = list(crashed(name, every))
    print(f"{len(outcomes)} states after a crash")
    assert len(outcomes) > 10 / every
    assert [each for each in outcomes if each] == []


@pytest.fixture
def packed(monkeypatch):
    """Return a short scenario, in which what a write replaces is packed."""
    monkeypatch.setattr(history, "_MOST_UNPACKED", 0)
    name = "versions that are packed"
    steps = [write(2, 3, 3), write(3, 2, 4), delete(2, 3)]
    monkeypatch.setitem(SCENARIOS, name, ([write(0, 6, 1)], steps))
    return name


def test_d1_no_crash_takes_or_doubles_a_version_that_is_packed(crashed, packed, every):
    outcomes = list(crashed(packed, every))
    assert len(outcomes) > 10 / every
    assert [each for each in outcomes if each] == []


# A fault put into the package must be detected.


def staged_in_place(self, path, content, into):
    into.append(Staged(path, path))
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    write_all(file, content)
    self.sync(file)
    os.close(file)


def put_nothing(self, staged, gone):
    if staged:
        self.created(staged[0].path)
    EXCHANGE(self, (), gone)


def removed_too_early(replace, self, put, parts, emptied=(), change=None):
    kept = {filled.partition for filled in put}
    self.remove([part for part in parts if part not in kept])
    replace(self, put, parts, emptied, change)


def gone_too_early(exchange, self, staged, gone, *more):
    self.disk.remove(*gone)
    exchange(self, staged, [], *more)


def kept_too_late(publish, self, staged, gone, past):
    publish(self, staged, gone, past._replace(replaced=()))
    self.history.keep(self.key, past)


def retired_too_early(fold, self):
    self._journal.retire(self._journal.rotate())
    return fold(self)


REPLACE, FOLD = LockedSeries.replace, collection.Bars.flush
EXCHANGE, IN_PLACE = Disk.exchange, LockedSeries.exchange
FAULTS = {
    "no file sync": [
        (Disk, "sync", lambda self, file: None),
        (logs, "sync_data", lambda file: None),
    ],
    "no folder sync": [(Disk, "_sync_folder", lambda self, folder: None)],
    "in-place write": [(Disk, "stage", staged_in_place), (Disk, "exchange", put_nothing)],
    "old parts removed before": [
        (
            LockedSeries,
            "replace",
            lambda *given, **more: removed_too_early(REPLACE, *given, **more),
        )
    ],
}


PUBLISH = LockedSeries._publish
JOURNAL_FAULTS = {
    "history kept after": [
        (LockedSeries, "_publish", lambda *given: kept_too_late(PUBLISH, *given))
    ],
    "replaced parts removed before": [
        (LockedSeries, "exchange", lambda *given: gone_too_early(IN_PLACE, *given))
    ],
    "a journal retired before": [
        (collection.Bars, "flush", lambda self: retired_too_early(FOLD, self))
    ],
}


@pytest.mark.few(1)
@pytest.mark.parametrize("fault", ["history kept after", "no file sync"])
def test_a_fault_is_detected_if_versions_are_packed(crashed, packed, monkeypatch, fault):
    for each in {**FAULTS, **JOURNAL_FAULTS}[fault]:
        monkeypatch.setattr(*each)
    assert any(crashed(packed))


@pytest.mark.few(4)
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        *itertools.product(["appends that split and merge"], FAULTS),
        *(
            pytest.param("a batch that cuts a part", fault, marks=pytest.mark.soak)
            for fault in FAULTS
        ),
        ("bars that are corrected", "history kept after"),
        ("bars that are corrected", "no file sync"),
        pytest.param("a series that is replaced", "no folder sync", marks=pytest.mark.soak),
        ("a series that is replaced", "replaced parts removed before"),
        ("tables through the journal", "no file sync"),
        ("tables through the journal", "no folder sync"),
        ("tables through the journal", "a journal retired before"),
    ],
)
def test_a_fault_is_detected(crashed, monkeypatch, name, fault):
    for each in {**FAULTS, **JOURNAL_FAULTS}[fault]:
        monkeypatch.setattr(*each)
    assert any(crashed(name))
