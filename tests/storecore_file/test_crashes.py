"""Laws D1, D2 and B4 for bars: an error or a stop at each call of a writer's loses nothing.

Each case is run once to see how often it calls the system, and then once for each of these calls,
which fails, or at which the writer stops for good, as if killed. A new store must then find each
bar old or new, and write on.
"""

from __future__ import annotations

import errno
import os
import shutil
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from storecore import PriceBar
from storecore.errors import StorageError
from storecore_file import FileDataStore
from storecore_file.bars import collection

JAN = datetime(2026, 1, 1, tzinfo=UTC)
SYMBOLS = ["A", "B", "C"]
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SOAK = pytest.mark.soak
CALLS = ("write", "fdatasync", "fsync", "replace", "rename", "unlink", "ftruncate", "mkdir", "link")


class Killed(BaseException):
    """Stops a writer where no `except` of its own may go on."""


class Calls:
    """Counts the calls of `os` that change a disk, and breaks the nth, or all from it on."""

    def __init__(self, monkeypatch):
        self.count, self.broken, self.error, self.only = 0, None, None, False
        for name in CALLS:
            monkeypatch.setattr(os, name, self._counted(name, getattr(os, name)))

    def _counted(self, name, real):
        def call(*args, **kwargs):
            number, self.count = self.count, self.count + 1
            if self.broken is not None and (
                number == self.broken or (number > self.broken and not self.only)
            ):
                raise type(self.error)(*self.error.args)
            return None if "sync" in name else real(*args, **kwargs)

        return call

    def reset(self, broken=None, error=None, only=False):
        self.count, self.broken, self.error, self.only = 0, broken, error, only


@pytest.fixture
def calls(monkeypatch, small):
    monkeypatch.setattr(collection, "WRITERS", 1)
    monkeypatch.setattr("storecore_file.bars.locked_series._WRITERS", 1)
    monkeypatch.setattr("storecore_file.bars.parallel._FEW", 100)  # in this thread, in one order
    return Calls(monkeypatch)


def bars(symbol, days, close, step=timedelta(days=1), start=JAN):
    return [PriceBar(symbol, start + day * step, 1.0, 2.0, 0.5, close, int(close)) for day in days]


def table(rows):
    names = PriceBar.__struct_fields__
    return pa.table({name: [getattr(row, name) for row in rows] for name in names})


def universe(day, close):
    return table([row for symbol in SYMBOLS for row in bars(symbol, [day], close)])


def many(close, **days):
    return table([row for symbol, dates in days.items() for row in bars(symbol, dates, close)])


HOUR = timedelta(hours=1)

# What lies in the store before, and what is done then.
CASES = {
    "a first write": ([], lambda store: store.write_bars("A", bars("A", range(3), 9.0))),
    "a replaced part": (
        [lambda store: store.write_bars("A", bars("A", range(5), 1.0))],
        lambda store: store.write_bars("A", bars("A", range(2, 7), 9.0)),
    ),
    "an append that splits the last part": (
        [lambda store: store.write_bars("A", bars("A", range(0, 70, 5), 1.0))],
        lambda store: store.write_bars("A", bars("A", [71], 9.0)),
    ),
    "a part that is cut in many": (
        [lambda store: store.write_bars("A", bars("A", range(0, 38, 2), 1.0, HOUR * 12))],
        lambda store: store.write_bars("A", bars("A", range(1, 77, 2), 9.0, HOUR * 6)),
    ),
    "a new month that merges those before": (
        [
            lambda store: store.write_bars("A", bars("A", range(0, 60, 3), 1.0)),
            lambda store: store.write_bars("A", bars("A", range(61, 90, 3), 1.0)),
            lambda store: store.write_bars("A", bars("A", range(91, 120, 3), 1.0)),
        ],
        lambda store: store.write_bars("A", bars("A", [151], 9.0)),
    ),
    "parts here and there": (
        [
            lambda store: store.write_bars("A", bars("A", range(3), 1.0)),
            lambda store: store.write_bars("A", bars("A", range(90, 93), 1.0)),
        ],
        lambda store: store.write_bars("A", bars("A", [2, 40, 41, 92, 200], 9.0)),
    ),
    "a batch for the journal": (
        [lambda store: store.write_bar_table(universe(3, 1.0))],
        lambda store: store.write_bar_table(universe(3, 9.0)),
    ),
    "a first batch for the journal": ([], lambda store: store.write_bar_table(universe(3, 9.0))),
    "a table of many bars for several symbols": (
        [
            lambda store: store.write_bars("A", bars("A", range(0, 70, 5), 1.0)),
            lambda store: store.write_bars("B", bars("B", range(4), 1.0)),
        ],
        lambda store: store.write_bar_table(
            many(9.0, A=[68, *range(71, 75)], B=range(2, 8), C=range(40))
        ),
    ),
    "a table of which some goes into the journal": (
        [
            lambda store: store.write_bar_table(universe(3, 1.0)),
            lambda store: store.write_bars("B", bars("B", range(4), 1.0)),
        ],
        lambda store: store.write_bar_table(many(9.0, A=range(2, 7), B=[3, 4], C=[3])),
    ),
    "a write that folds the journal's bars of its series": (
        [
            lambda store: store.write_bars("A", bars("A", range(3), 1.0)),
            lambda store: store.write_bar_table(universe(3, 1.0)),
            lambda store: store.write_bar_table(universe(1, 2.0)),
        ],
        lambda store: store.write_bars("A", bars("A", [2, 40], 9.0)),
    ),
    "a fold of the journal": (
        [
            lambda store: store.write_bars("A", bars("A", range(3), 1.0)),
            lambda store: store.write_bar_table(universe(3, 1.0)),
            lambda store: store.write_bar_table(universe(1, 2.0)),
            lambda store: store.write_bars("B", bars("B", [3], 3.0)),
        ],
        lambda store: store.compact(),
    ),
    "a merge by compact": (
        [
            lambda store: store.write_bars("A", bars("A", range(5), 1.0)),
            lambda store: store.write_bars("A", bars("A", range(61, 70), 1.5)),
            lambda store: store.write_bars("A", bars("A", range(121, 128), 1.25)),
            lambda store: store.write_bars("A", bars("A", range(182, 184), 1.0)),
        ],
        lambda store: store.compact(),
    ),
    "a deletion of some": (
        [
            lambda store: store.write_bars("A", bars("A", range(0, 60, 4), 1.0)),
            lambda store: store.write_bars("A", bars("A", range(61, 120, 4), 1.0)),
        ],
        lambda store: store.delete_bars("A", JAN + timedelta(20), JAN + timedelta(80)),
    ),
    "a deletion of all, some in the journal": (
        [
            lambda store: store.write_bars("A", bars("A", range(0, 60, 4), 1.0)),
            lambda store: store.write_bar_table(universe(3, 1.0)),
        ],
        lambda store: store.delete_bars("A", *ALWAYS),
    ),
}


def kept(store):
    """Return the bars of a store by symbol and date, asked for in each way that there is."""
    found = {
        (row["symbol"], row["date"]): row["close"]
        for row in store.read_bar_table(SYMBOLS, *ALWAYS).to_pylist()
    }
    listed = {
        (symbol, bar.date): bar.close
        for symbol in SYMBOLS
        for bar in store.read_bars(symbol, *ALWAYS)
    }
    assert listed == found
    counts = [store.bar_coverage(symbol).count for symbol in SYMBOLS]
    assert sum(counts) == len(found)
    assert store.symbols() == sorted({symbol for symbol, _ in found})
    return found


def opened(base):
    return FileDataStore(base_path=base, lock_timeout=0)


def abandoned(store):
    """Let a store's files go without the fold that closing it is."""
    store._bars._appended = False
    store.close()


@pytest.fixture(params=CASES)
def case(request, tmp_path, calls):
    """The folder before, the act, and the bars before and after it."""
    prepared, act = CASES[request.param]
    before, after = tmp_path / "before", tmp_path / "after"
    store = opened(before)
    for write in prepared:
        write(store)
    old = kept(store)
    abandoned(store)
    shutil.copytree(before, after)
    store = opened(after)
    calls.reset()
    act(store)
    count = calls.count
    new = kept(store)
    abandoned(store)
    return before, act, old, new, count


def test_the_cases_call_the_system(case):
    _, _, old, new, count = case
    assert count > 1
    assert old != new or new


@pytest.mark.few(5)
@pytest.mark.parametrize(
    ("error", "only"),
    [
        (OSError(errno.EIO, "I/O error"), True),
        pytest.param(Killed(), False, marks=SOAK),
        pytest.param(OSError(errno.ENOSPC, "No space left on device"), False, marks=SOAK),
        pytest.param(KeyboardInterrupt(), True, marks=SOAK),
    ],
    ids=["one call fails", "killed", "all calls fail from one on", "interrupted"],
)
def test_d2_whatever_call_breaks_each_bar_is_old_or_new_and_the_next_write_works(
    case, calls, tmp_path, whole_layout, error, only
):
    before, act, old, new, count = case
    for number in range(count):
        base = tmp_path / "data"
        shutil.copytree(before, base)
        store = opened(base)
        calls.reset(number, error, only)
        acknowledged = True
        try:
            act(store)
        except (StorageError, Killed, KeyboardInterrupt):
            acknowledged = False
        calls.reset()
        if not isinstance(error, Killed):
            one_of(kept(store), old, new, acknowledged)
        if only and not acknowledged and isinstance(error, OSError):
            assert kept(store) == old  # the call changed all that it had to change, or nothing
        abandoned(store)
        with opened(base) as next_one:
            one_of(kept(next_one), old, new, acknowledged)
            act(next_one)
            assert kept(next_one) == new
            next_one.write_bars("A", bars("A", [33], 33.0))
            next_one.compact()
            assert kept(next_one) == new | {("A", JAN + timedelta(33)): 33.0}
        whole_layout(base, torn=not only)
        shutil.rmtree(base)


def one_of(found, old, new, acknowledged):
    """Check that each bar is what it was before or what it was to be."""
    if acknowledged:
        assert found == new
    for key in old.keys() | new.keys():
        assert found.get(key) in (old.get(key), new.get(key)), key
    assert found.keys() <= old.keys() | new.keys()
