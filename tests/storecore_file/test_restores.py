"""Law D6: whatever copies of a store are laid over each other, nothing is hidden without a word.

Two folders are written to, each by itself, and laid over each other file by file, in any order.
After each such copy every bar is as in one of the two states, or `verify()` has a finding; and no
write after it takes away what could be read before. After a copy that was interrupted a bar may
also be as it once was: in a journal whose partitions are not there yet, which have a later one.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from storecore import PriceBar
from storecore_file import FileDataStore

START = datetime(2026, 1, 1, tzinfo=UTC)
ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
SYMBOLS = ["A", "B", "C"]


class Pair:
    """Two folders, each with a store, and how to write to them and copy them."""

    def __init__(self, folder, seed):
        self.folders = [folder / name for name in ("one", "other")]
        self.chosen = random.Random(seed)
        self.close = 0.0
        self.stores = [self.opened(each) for each in self.folders]
        self.findings = 0
        self.history = {}  # of each bar: all values that it ever had

    @staticmethod
    def opened(folder):
        return FileDataStore(folder, durability="os")

    def bar(self, symbol, day):
        self.close += 1.0  # each write can be told from every other
        date = START + timedelta(days=day)
        self.history.setdefault((symbol, date), set()).add(self.close)
        return PriceBar(symbol, date, 1.0, 2.0, 0.5, self.close, 7)

    def content(self, which):
        """Return the bars that a reader of today finds, by symbol and date."""
        store = self.opened(self.folders[which])
        found = {
            (symbol, bar.date): bar.close
            for symbol in SYMBOLS
            for bar in store.read_bars(symbol, *ALWAYS)
        }
        counts = [store.bar_coverage(symbol).count for symbol in SYMBOLS]
        assert sum(counts) == len(found)
        assert {symbol for symbol, _ in found} <= set(store.symbols())
        return found

    # What may happen.

    def one(self, which, day, count):
        symbol = SYMBOLS[count % len(SYMBOLS)]
        self.stores[which].write_bars(symbol, [self.bar(symbol, day)])

    def many(self, which, day, count):
        symbol = SYMBOLS[day % len(SYMBOLS)]
        bars = [self.bar(symbol, day + number * 2) for number in range(3 * count)]
        self.stores[which].write_bars(symbol, bars)

    def batch(self, which, day, count):
        rows = [self.bar(symbol, day) for symbol in SYMBOLS[: 2 + count % 2]]
        names = PriceBar.__struct_fields__
        table = pa.table({name: [getattr(row, name) for row in rows] for name in names})
        self.stores[which].write_bar_table(table)

    def delete(self, which, day, count):
        symbol = SYMBOLS[day % len(SYMBOLS)]
        start = START + timedelta(days=day)
        self.stores[which].delete_bars(symbol, start, start + timedelta(days=count * count))

    def compact(self, which, day, count):
        self.stores[which].compact()

    def fold(self, which, day, count):
        self.stores[which]._bars.flush()

    def restart(self, which, day, count):
        """End the program: closed, or killed, which leaves the journal as it is."""
        if count % 2:
            self.stores[which].close()
        self.stores[which] = self.opened(self.folders[which])

    def lay_over(self, which, day, count):
        """Copy one folder over the other, all of it or a part, and hold the laws against it."""
        states = self.content(which), self.content(1 - which)
        source, target = self.folders[which], self.folders[1 - which]
        files = [path for path in sorted(source.rglob("*")) if path.is_file()]
        self.chosen.shuffle(files)
        interrupted = day % 3 == 0
        if interrupted:
            files = files[: self.chosen.randint(0, len(files))]
        for path in files:
            self.copied(path, target / path.relative_to(source), in_place=count % 2)
        self.stores[1 - which] = self.opened(target)
        self.check(1 - which, *states, interrupted)

    def copied(self, path, to, in_place):
        to.parent.mkdir(parents=True, exist_ok=True)
        if in_place:
            shutil.copy2(path, to)  # as cp does
        else:
            beside = to.with_name(f".{to.name}.{self.chosen.randrange(10**9)}")
            shutil.copy2(path, beside)  # as rsync does
            beside.replace(to)

    def check(self, which, one, other, interrupted):
        """Each bar is as in one of two states, or there is a finding; and what is there stays."""
        found = self.content(which)
        report = self.opened(self.folders[which]).verify()
        wrong = {
            key: (found.get(key), one.get(key), other.get(key))
            for key in {*found, *one, *other}
            if found.get(key) not in (one.get(key), other.get(key))
            and not (interrupted and found.get(key) in self.history[key])
        }
        assert not report.ok or not wrong, wrong
        self.findings += not report.ok
        event("a finding" if not report.ok else "no finding")
        for symbol in SYMBOLS:
            extra = self.bar(symbol, 20 + self.chosen.randrange(20))
            self.stores[which].write_bars(symbol, [extra])
            found[symbol, extra.date] = extra.close
            assert self.missing(which, found) == {}
        self.stores[which].compact()
        assert self.missing(which, found) == {}

    def missing(self, which, expected):
        found = self.content(which)
        return {
            key: (close, found.get(key))
            for key, close in expected.items()
            if found.get(key) != close
        }


CALLS = ["one", "many", "batch", "batch", "delete", "compact", "fold", "restart", "lay_over"]
steps = st.lists(
    st.tuples(
        st.sampled_from([*CALLS, "lay_over"]),
        st.integers(0, 1),
        st.integers(0, 70),
        st.integers(1, 4),
    ),
    min_size=6,
    max_size=25,
)


def run(steps, seed):
    folder = Path(tempfile.mkdtemp())
    try:
        pair = Pair(folder, seed)
        for call, *how in steps:
            getattr(pair, call)(*how)
    finally:
        shutil.rmtree(folder)


def test_d6_copies_laid_over_each_other_hide_nothing_without_a_finding(small):
    settings(max_examples=25, deadline=None)(given(steps, st.integers(0, 999))(run))()


@pytest.mark.soak
@pytest.mark.parametrize("part", range(4))
def test_d6_many_copies_laid_over_each_other_hide_nothing_without_a_finding(small, part):
    settings(max_examples=400, deadline=None)(given(steps, st.integers(0, 999))(run))()
