"""The capability `BarTables`: what a list of bars keeps, a table keeps, of many symbols at once.

Arrow is loaded where a table is made: a suite without the capability does without it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st

from storecore.bars.extra_values import FIELDS
from storecore.errors import InvalidData, InvalidName
from storecore.models import PriceBar
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import (
    EVER,
    HOSTILE,
    NOON,
    NOON_UTC,
    bar,
    bar_table,
    for_all,
    prices,
    refused,
)

DAY = datetime(2026, 1, 31)
EXACT = (2**53 + 1, 7, 2**63 - 1)
symbols = st.sampled_from(["AAPL", "aapl", "BRK/B", "MSFT", "Ünïcødé"])
dates = st.integers(0, 60).map(lambda day: DAY + timedelta(day))
batches = st.lists(st.lists(st.tuples(symbols, dates, prices), max_size=20), max_size=4)
days = st.integers(-1, 8)


class BarTableLaws(Fixtures):
    """Bars written and read as Arrow tables."""

    @pytest.fixture
    def tables(self, having: Callable[[str], Recorder]) -> Recorder:
        """The subject, if it takes and gives tables."""
        return having("BarTables")

    @for_all(batches=batches)
    def test_b1_any_tables_leave_the_last_write_of_each_symbol_and_date(
        self, tables: Recorder, fresh_name: Callable[[], str], batches: list[list[Any]]
    ) -> None:
        """Read as a table, sorted by symbol, then date, and as lists."""
        own, expected = fresh_name(), dict[tuple[str, datetime], PriceBar]()
        for batch in batches:
            bars = [
                bar(at, close, symbol=own + name, volume=row)
                for row, (name, at, close) in enumerate(batch)
            ]
            tables.write_bar_table(bar_table(bars))
            expected |= {(each.symbol, each.date): each for each in bars}
        found = [expected[key] for key in sorted(expected)]
        names = sorted({symbol for symbol, _ in expected})
        assert _rows(tables, names) == bar_table(found).to_pylist()
        assert [each for name in names for each in tables.read_bars(name, *EVER)] == found

    def test_b1_a_table_and_a_list_replace_each_other(self, tables: Recorder) -> None:
        """They are two ways to the same bars."""
        tables.write_bar_table(bar_table([bar(DAY, 1.0)]))
        tables.write_bars("AAPL", [bar(DAY, 2.0)])
        assert _column(tables, "AAPL", "close") == [2.0]
        tables.write_bar_table(bar_table([bar(DAY, 3.0), bar(DAY, 4.0)]))
        assert _column(tables, "AAPL", "close") == [4.0]
        assert tables.read_bars("AAPL", *EVER) == [bar(DAY, 4.0)]

    def test_b1_timeframes_of_tables_are_series_of_their_own(self, tables: Recorder) -> None:
        """Written to one, read from that one."""
        tables.write_bar_table(bar_table([bar(DAY)]), timeframe="1m")
        counts = [len(tables.read_bar_table("AAPL", *EVER, timeframe=t)) for t in ("1d", "1m")]
        assert counts == [0, 1]

    def test_b2_a_table_with_one_bad_row_changes_nothing(self, tables: Recorder) -> None:
        """The error names row and field; no symbol of the table is written."""
        tables.write_bar_table(bar_table([bar(DAY, 1.0)]))
        bad = [bar(DAY, 5.0), bar(DAY, 6.0, symbol="MSFT"), bar(DAY, math.nan)]
        with refused(InvalidData, "2", "close", value="a table with a NaN"):
            tables.write_bar_table(bar_table(bad))
        assert _column(tables, ["AAPL", "MSFT"], "close") == [1.0]

    def test_b2_what_is_no_table_of_bars_is_refused(self, tables: Recorder) -> None:
        """Another object, and a table that lacks a column or has one twice."""
        table = bar_table([bar(DAY)])
        longer = table.append_column("close", table["close"])
        for wrong in (None, 7, [bar(DAY)], table.drop_columns(["low"]), longer):
            with refused(InvalidData, value=wrong):
                tables.write_bar_table(wrong)
        assert tables.read_bars("AAPL", *EVER) == []

    def test_b3_an_empty_table_does_nothing(self, tables: Recorder) -> None:
        """It is no error, and takes nothing away."""
        tables.write_bar_table(bar_table([bar(DAY)]))
        tables.write_bar_table(bar_table([]))
        assert _column(tables, ["AAPL", "NONE"], "symbol") == ["AAPL"]

    @for_all(closes=st.lists(prices, min_size=1, max_size=5))
    def test_b5_prices_of_a_table_come_back_bit_for_bit(
        self, tables: Recorder, fresh_name: Callable[[], str], closes: list[float]
    ) -> None:
        """Those of -0.0 and of the smallest number too."""
        symbol = fresh_name()
        moments = [DAY + timedelta(day) for day in range(len(closes))]
        bars = [bar(*row, symbol=symbol) for row in zip(moments, closes, strict=True)]
        tables.write_bar_table(bar_table(bars))
        read = _column(tables, symbol, "close")
        assert [struct.pack("<d", each) for each in read] == [
            struct.pack("<d", each) for each in closes
        ]

    def test_b5_whole_volumes_of_a_table_stay_exact(self, tables: Recorder) -> None:
        """Also above 2**53, which no float keeps."""
        bars = [bar(DAY + timedelta(day), volume=each) for day, each in enumerate(EXACT)]
        tables.write_bar_table(bar_table(bars, volumes="int64"))
        assert _column(tables, "AAPL", "volume") == list(EXACT)
        assert [each.volume for each in tables.read_bars("AAPL", *EVER)] == list(EXACT)

    def test_n1_any_symbol_of_a_table_comes_back(self, tables: Recorder) -> None:
        """And is distinguished from every other."""
        bars = [bar(symbol=name, volume=number) for number, name in enumerate(HOSTILE)]
        tables.write_bar_table(bar_table(bars))
        expected = sorted((each.symbol, each.volume) for each in bars)
        read = _rows(tables, HOSTILE)
        assert [(each["symbol"], each["volume"]) for each in read] == expected
        assert [len(tables.read_bars(name, *EVER)) for name in HOSTILE] == [1] * len(HOSTILE)

    def test_n2_a_table_with_one_bad_name_changes_nothing(self, tables: Recorder) -> None:
        """The empty text and NUL name no symbol, written or read."""
        for name in ("", "A\0"):
            with refused(InvalidName, value=name):
                tables.write_bar_table(bar_table([bar(DAY), bar(DAY, symbol=name)]))
            with refused(InvalidName, value=name):
                tables.read_bar_table(["AAPL", name], *EVER)
            with refused(InvalidName, value=name):
                tables.read_bar_table("AAPL", *EVER, timeframe=name)
        assert tables.read_bars("AAPL", *EVER) == []

    def test_t2_dates_of_a_table_are_of_the_kind_asked_for(self, tables: Recorder) -> None:
        """Naive or of UTC as the bounds are; one of each is a ValueError."""
        tables.write_bars("AAPL", [bar()])
        naive = tables.read_bar_table("AAPL", NOON, NOON)["date"]
        aware = tables.read_bar_table("AAPL", NOON_UTC, NOON_UTC)["date"]
        assert (str(naive.type), str(aware.type)) == ("timestamp[us]", "timestamp[us, tz=UTC]")
        assert naive.to_pylist() == [NOON]
        assert naive.cast("int64") == aware.cast("int64")
        with refused(ValueError, value=(NOON, NOON_UTC)):
            tables.read_bar_table("AAPL", NOON, NOON.replace(tzinfo=UTC))

    @for_all(first=days, last=days)
    def test_t3_a_range_of_a_table_includes_both_ends(
        self, tables: Recorder, fresh_name: Callable[[], str], first: int, last: int
    ) -> None:
        """And is refused if it ends before it starts."""
        symbol = fresh_name()
        if first > last:
            with refused(InvalidData, value=(first, last)):
                tables.read_bar_table(symbol, DAY + timedelta(first), DAY + timedelta(last))
            first, last = last, first
        bars = [bar(DAY + timedelta(day), float(day), symbol=symbol) for day in range(8)]
        tables.write_bars(symbol, bars)
        read = tables.read_bar_table(symbol, DAY + timedelta(first), DAY + timedelta(last))
        assert read["close"].to_pylist() == [day for day in range(8) if first <= day <= last]

    def test_t3_a_date_stands_for_its_whole_day_as_an_end_of_a_table(
        self, tables: Recorder
    ) -> None:
        """From its midnight to its last microsecond."""
        tables.write_bars("AAPL", [bar(DAY + timedelta(hours=hour)) for hour in (0, 23, 24)])
        assert len(tables.read_bar_table("AAPL", date(2026, 1, 31), date(2026, 1, 31))) == 2

    def test_bar_tables_hold_the_symbols_that_were_asked_for_each_once(
        self, tables: Recorder
    ) -> None:
        """In any iterable; a text is one symbol; one without bars has no rows."""
        tables.write_bar_table(bar_table([bar(symbol=name) for name in ("A", "AB", "B")]))
        asked: list[Any] = ["AB", ["B", "A", "B", "NONE"], iter(("AB", "A")), {"B"}, []]
        read = [tables.read_bar_table(names, *EVER)["symbol"].to_pylist() for names in asked]
        assert read == [["AB"], ["A", "B"], ["A", "AB"], ["B"], []]

    def test_bar_tables_have_the_columns_that_were_asked_for(self, tables: Recorder) -> None:
        """In that order, of the same values and types as among all columns."""
        bars = [bar(DAY, volume=2**53 + 1), bar(DAY, symbol="MSFT")]
        tables.write_bar_table(bar_table(bars, volumes="int64"))
        whole = tables.read_bar_table(["AAPL", "MSFT"], *EVER)
        assert tuple(whole.column_names) == FIELDS
        for columns in (["close"], ["volume"], ["symbol"], ["low", "date"]):
            read = tables.read_bar_table(["AAPL", "MSFT"], *EVER, columns=columns)
            assert read.equals(whole.select(columns)), f"columns={columns} gave {read}"

    def test_bar_tables_have_no_other_columns(self, tables: Recorder) -> None:
        """An unknown one is an error that names it, and so is one asked for twice, or none."""
        with refused(InvalidData, "clsoe", value="columns=['clsoe']"):
            tables.read_bar_table("AAPL", *EVER, columns=["clsoe"])
        for columns in ([], ["close", "close"], 7):
            with refused(InvalidData, "columns", value=columns):
                tables.read_bar_table("AAPL", *EVER, columns=columns)

    def test_catalog_lists_what_a_table_brought(
        self, tables: Recorder, having: Callable[[str], Recorder]
    ) -> None:
        """Each of its symbols, in the timeframe it was written to; an empty one brings none."""
        catalog, names = having("Catalog"), [f"S{number}" for number in range(6)]
        tables.write_bar_table(bar_table([]))
        assert catalog.symbols() == []
        tables.write_bar_table(bar_table([bar(symbol=name) for name in names]), timeframe="1h")
        assert (catalog.symbols("1h"), catalog.symbols("1d")) == (names, [])
        assert catalog.timeframes("S3") == ["1h"]
        coverage = catalog.bar_coverage("S3", timeframe="1h")
        assert (coverage.first, coverage.last, coverage.count) == (NOON_UTC, NOON_UTC, 1)


def _rows(tables: Recorder, names: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tables.read_bar_table(names, *EVER).to_pylist()
    return rows


def _column(tables: Recorder, names: Any, column: str) -> list[Any]:
    values: list[Any] = tables.read_bar_table(names, *EVER)[column].to_pylist()
    return values
