"""Bars are copied in columns, bit for bit, and only the stretches that are not the same."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import PriceBar, copy_store
from storecore.builtin.memory import MemoryDataStore
from storecore.store import digests
from storecore.store.digests import BarDigest

JAN_5 = datetime(2026, 1, 5)
ALWAYS = date.min, date.max


def series(*volumes, close=1.5, start=JAN_5):
    return [
        PriceBar("AAPL", start + timedelta(day), 1.0, 2.0, -0.0, close, volume)
        for day, volume in enumerate(volumes)
    ]


class Counting(MemoryDataStore):
    """A store that counts the bars which are written to it, and fails when it has enough."""

    def __init__(self, enough=float("inf")):
        super().__init__()
        self.written, self.enough = 0, enough

    def write_bar_table(self, table, *, timeframe="1d"):
        if self.written >= self.enough:
            raise InterruptedError
        super().write_bar_table(table, timeframe=timeframe)
        self.written += len(table)


@pytest.fixture
def pieces(monkeypatch):
    """Make each stretch of bars that is copied at once hold ten of them."""
    tables = digests.iter_bar_tables

    def ten(*asked, **options):
        return tables(*asked, **options, max_bytes=640)

    monkeypatch.setattr(digests, "iter_bar_tables", ten)


@pytest.mark.parametrize(
    "volumes",
    [
        (2**53 + 1, 2**63 - 1, 7),
        (2**53 + 1, 0.5, 2**63 - 1),
        (2.0**70, 1e300, 2**53 + 1),
        (2**53, 2**53 - 1, 0.25),
        (0.0, 0, 1.0),
    ],
)
def test_volumes_are_exact_whatever_stands_beside_them(source, target, files, volumes):
    source.write_bars("AAPL", series(*volumes))
    assert copy_store(source, files("data")).ok
    assert copy_store(files("data"), target).ok
    read = target.read_bars("AAPL", *ALWAYS)
    assert [repr(bar.volume) for bar in read] == [
        repr(bar.volume) for bar in source.read_bars("AAPL", *ALWAYS)
    ]


def test_a_volume_of_minus_zero_is_zero_on_both_sides(files, target):
    (bar,) = series(0.0)
    names = PriceBar.__struct_fields__
    table = pa.table({name: [getattr(bar, name)] for name in names})
    place = names.index("volume")
    table = table.set_column(place, "volume", pa.array([-0.0]))
    files("data").write_bar_table(table)
    assert copy_store(files("data"), target).ok


def test_a_price_of_minus_zero_is_another_than_zero(source, target, found):
    source.write_bars("AAPL", series(7))
    target.write_bars("AAPL", [PriceBar("AAPL", JAN_5, 1.0, 2.0, 0.0, 1.5, 7)])
    copied = found(copy_store(source, target), "bars")
    assert (copied.equal, copied.added) == (True, 1)
    assert str(target.read_bars("AAPL", *ALWAYS)[0].low) == "-0.0"


@given(st.lists(st.integers(1, 9), max_size=12))
def test_the_checksum_is_the_same_in_whatever_pieces_a_series_comes(cuts):
    from storecore.bars.rows import bar_columns
    from storecore.bars.table import series_table

    volumes = [2**53 + 1 + day if day % 3 else day for day in range(30)]
    whole = series_table(bar_columns("AAPL", series(*volumes)))
    at_once, in_pieces = BarDigest(), BarDigest()
    at_once.add(whole)
    start = 0
    for cut in [*cuts, 30]:
        if start < 30:
            in_pieces.add(whole.slice(start, cut))
            start += cut
    assert in_pieces.tally() == at_once.tally()


def test_only_the_stretches_that_differ_are_written(source, pieces, found):
    target = Counting()
    source.write_bars("AAPL", series(*range(30)))
    assert found(copy_store(source, target, history=False), "bars").added == target.written == 30
    source.write_bars("AAPL", series(99, start=JAN_5 + timedelta(15)))
    assert found(copy_store(source, target, history=False), "bars").added == 10
    assert target.written == 40


def test_an_interrupted_series_goes_on_where_it_stopped(source, pieces, found):
    target = Counting(enough=20)
    source.write_bars("AAPL", series(*range(30)))
    with pytest.raises(InterruptedError):
        copy_store(source, target, history=False)
    target.enough = 30
    copied = found(copy_store(source, target, history=False), "bars")
    assert (copied.equal, copied.added) == (True, 10)


def test_bars_of_the_target_alone_stay_and_cost_no_write(source, target, found):
    source.write_bars("AAPL", series(1, 2, 3))
    target.write_bars("AAPL", series(1, 2, 3))
    target.write_bars("AAPL", series(4, start=JAN_5 + timedelta(hours=1)))
    copied = found(copy_store(source, target), "bars")
    assert (copied.equal, copied.added) == (False, 0)
    assert (copied.source.count, copied.target.count) == (3, 4)


def test_bars_are_read_and_written_by_the_ten_methods_where_there_is_no_more(limited, found):
    inside, outside = MemoryDataStore(), MemoryDataStore()
    inside.write_bars("AAPL", series(2**53 + 1, 0.5))
    source, target = limited(inside, "Catalog"), limited(outside)
    assert found(copy_store(source, target), "bars").equal
    assert outside.read_bars("AAPL", *ALWAYS) == inside.read_bars("AAPL", *ALWAYS)


def test_a_series_reaches_from_the_first_year_to_the_last(source, target):
    ends = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    source.write_bars("AAPL", [PriceBar("AAPL", at, 1, 1, 1, 1, 1) for at in ends])
    assert copy_store(source, target).ok
    assert len(target.read_bars("AAPL", *ALWAYS)) == 2


# Further columns (law B6).

FURTHER = {"n": 7, "note": "Ünïcødé", "ok": False, "t": JAN_5.replace(tzinfo=UTC), "vwap": 1.5}


def further(*extras, volume=None):
    return [
        PriceBar("AAPL", JAN_5 + timedelta(day), 1.0, 2.0, 0.5, 1.5, volume, extra)
        for day, extra in enumerate(extras)
    ]


@pytest.mark.parametrize("volume", [None, 7, 2**53 + 1])
def test_further_columns_and_null_volumes_are_copied(source, target, found, volume):
    bars = further(FURTHER, None, {"vwap": 0.5}, volume=volume)
    source.write_bars("AAPL", bars)
    first = found(copy_store(source, target), "bars")
    assert (first.equal, first.added) == (True, 3)
    assert target.read_bars("AAPL", *ALWAYS) == bars
    assert found(copy_store(source, target), "bars").added == 0


def test_exact_volumes_beside_fractions_are_copied_with_further_columns(source, target):
    bars = [*further(FURTHER, volume=2**53 + 1), *series(0.5, start=JAN_5 + timedelta(1))]
    source.write_bars("AAPL", bars)
    assert copy_store(source, target).ok
    assert target.read_bars("AAPL", *ALWAYS) == bars


@pytest.mark.parametrize("changed", [{"vwap": 2.5}, {"other": 1.5}, {"vwap": 1.5, "n": 7}, None])
def test_a_bar_that_differs_in_a_further_column_is_written(source, target, found, changed):
    source.write_bars("AAPL", further({"vwap": 1.5}))
    target.write_bars("AAPL", further(changed))
    copied = found(copy_store(source, target), "bars")
    assert (copied.equal, copied.added) == (True, 1)
    assert target.read_bars("AAPL", *ALWAYS)[0].extra == {"vwap": 1.5}


def test_a_series_whose_columns_the_target_cannot_take_is_left_out_with_the_reason(source, target):
    source.write_bars("AAPL", further({"vwap": 1.5}))
    source.write_bars("MSFT", [PriceBar("MSFT", JAN_5, 1.0, 1.0, 1.0, 1.0, 7)])
    target.write_bars("AAPL", further({"vwap": "text"}))
    report = copy_store(source, target)
    assert not report.ok
    assert ["AAPL (1d): table[0].vwap=1.5: expected string" in str(e) for e in report.left_out] == [
        True
    ]
    assert len(target.read_bars("MSFT", *ALWAYS)) == 1


@given(st.lists(st.integers(1, 9), max_size=8))
def test_the_checksum_of_further_columns_is_the_same_in_whatever_pieces_they_come(cuts):
    from storecore.bars.rows import bar_columns
    from storecore.bars.table import series_table

    extras = [FURTHER if day % 3 else {"note": "x" * day} if day % 2 else None for day in range(20)]
    bars = further(*extras, volume=None)
    whole = series_table(bar_columns("AAPL", bars, extra=True))
    at_once, in_pieces = BarDigest(), BarDigest()
    at_once.add(whole)
    start = 0
    for cut in [*cuts, 20]:
        if start < 20:
            in_pieces.add(whole.slice(start, cut))
            start += cut
    assert in_pieces.tally() == at_once.tally()


def test_the_checksum_of_a_series_without_further_columns_is_that_of_earlier_releases():
    from storecore.bars.rows import bar_columns
    from storecore.bars.table import series_table

    digest = BarDigest()
    digest.add(series_table(bar_columns("AAPL", series(7, 2**53 + 1, 0.5))))
    assert (
        digest.tally().checksum
        == "9f55e4f7af7d2880148215bd4783f4fb973397453b2043a624cd012f6cbbd0c0"
    )
