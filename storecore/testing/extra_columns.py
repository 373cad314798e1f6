"""Law B6: a bar may have more columns than the seven, and a volume that was not reported.

A backend that was written before this law refuses both, as core's checks do for it; then the law is
"not tried". It is asked by objects if it has no `BarTables`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st

from storecore.bars.extra_values import FIELDS
from storecore.errors import InvalidData
from storecore.models import PriceBar
from storecore.store.tables import read_bar_table
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import EVER, EVER_UTC, bar, bar_table, for_all, prices, refused

DAY = datetime(2026, 1, 31)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
VALUES: dict[str, tuple[Any, ...]] = {
    "vwap": (101.25, 0.1, -0.0, 5e-324, 1.7976931348623157e308, math.inf, math.nan),
    "trades": (0, 7, -1, 2**53 + 1, 2**63 - 1, -(2**63)),
    "halted": (True, False),
    "venue": ("XNAS", "", " a\tb\n", "Ünïcødé 日本 😀", "x" * 300, "NULL", "'; --"),
    "closed at": (DAY.replace(tzinfo=UTC), FIRST, LAST),
}
"""Values of each type, with the name of a column of that type."""
NAMES = ("VWAP", "vwap", "Adj Close", "open interest", "Close", "日本", "a.b", "*", "%s", '"', "'")
NO_NAMES: tuple[Any, ...] = (*FIELDS, "", "a\n", "\0", "\x7f", "\ud800", 7, None)
NO_VALUES = ([1.0], {"a": 1}, b"x", 1j, 2**63, -(2**63) - 1, "\ud800", "\0", DAY.date())
TYPES = {
    "vwap": "double",
    "trades": "int64",
    "halted": "bool",
    "venue": "string",
    "closed at": "timestamp[us, tz=UTC]",
}
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
values = {
    "vwap": st.floats(),
    "trades": st.integers(-(2**63), 2**63 - 1),
    "halted": st.booleans(),
    "venue": texts,
    "closed at": st.datetimes().map(lambda at: at.replace(tzinfo=UTC)),
}
extras = st.fixed_dictionaries({}, optional=values) | st.none()
dates = st.integers(0, 9).map(lambda day: DAY + timedelta(day))
batches = st.lists(st.lists(st.tuples(dates, prices, extras), max_size=6), max_size=4)


class ExtraColumnLaws(Fixtures):
    """Further columns of bars, as objects and as tables."""

    @pytest.fixture
    def further(self, subject: Recorder) -> Recorder:
        """The subject, if it keeps further columns."""
        try:
            subject.write_bars("PROBE", [bar(symbol="PROBE", extra={"probe": 1.5})])
        except InvalidData as error:
            pytest.skip(f"not tried: the backend refuses further columns of bars: {error}")
        return subject

    @pytest.fixture
    def columned(self, having: Callable[[str], Recorder], further: Recorder) -> Recorder:
        """The subject, if it keeps further columns and has tables."""
        return having("BarTables")

    @for_all(batches=batches)
    def test_b6_any_columns_of_any_batches_come_back_with_the_last_write_of_each_date(
        self, further: Recorder, fresh_name: Callable[[], str], batches: list[list[Any]]
    ) -> None:
        """A column that the last write of a date did not give is null for it."""
        symbol, expected = fresh_name(), dict[datetime, PriceBar]()
        for batch in batches:
            bars = [bar(at, close, symbol=symbol, extra=extra) for at, close, extra in batch]
            further.write_bars(symbol, bars)
            expected |= {each.date: each for each in bars}
        kept = [expected[at] for at in sorted(expected)]
        read = further.read_bars(symbol, *EVER)
        assert [(each.date, each.close) for each in read] == [(e.date, e.close) for e in kept]
        assert _all_exact(read) == _all_exact(kept)
        assert not any(each.extra == {} for each in read), "expected None, got an empty dict"

    def test_b6_values_come_back_exactly_and_of_their_type(self, further: Recorder) -> None:
        """The edges of each type; NaN is a value of floats, not null."""
        for name, given in VALUES.items():
            bars = [bar(DAY + timedelta(row), extra={name: v}) for row, v in enumerate(given)]
            further.write_bars("AAPL", bars, timeframe=name)
            read = further.read_bars("AAPL", *EVER, timeframe=name)
            assert _all_exact(read) == _all_exact(bars)
            aware = further.read_bars("AAPL", *EVER_UTC, timeframe=name)
            assert _all_exact(aware) == _all_exact(bars), "the values differ for aware bounds"

    def test_b6_a_bar_may_lack_what_others_have(self, further: Recorder) -> None:
        """None and an empty dict are no columns; a value of None is none."""
        given: list[Any] = [{"vwap": 1.5, "venue": None}, None, {}, {"venue": "X"}, {"vwap": None}]
        bars = [bar(DAY + timedelta(row), extra=extra) for row, extra in enumerate(given)]
        further.write_bars("AAPL", bars)
        read = [each.extra for each in further.read_bars("AAPL", *EVER)]
        assert read == [{"vwap": 1.5}, None, None, {"venue": "X"}, None]

    def test_b6_an_upsert_replaces_the_whole_bar(self, further: Recorder) -> None:
        """A column that it does not give becomes null, and other bars stay."""
        both = {"vwap": 1.5, "venue": "X"}
        further.write_bars("AAPL", [bar(DAY + timedelta(day), extra=both) for day in range(3)])
        further.write_bars("AAPL", [bar(DAY, extra={"vwap": 2.5}), bar(DAY + timedelta(1))])
        read = [each.extra for each in further.read_bars("AAPL", *EVER)]
        assert read == [{"vwap": 2.5}, None, both]

    def test_b6_what_is_read_can_be_written_back_whole(self, further: Recorder) -> None:
        """To another series; and the caller may change the dict that was read."""
        given = {name: given[0] for name, given in VALUES.items()}
        further.write_bars("AAPL", [bar(DAY, extra=given), bar(DAY + timedelta(1))])
        read = further.read_bars("AAPL", *EVER)
        further.write_bars("AAPL", read, timeframe="1w")
        read[0].extra["vwap"] = 7.0
        for timeframe in ("1d", "1w"):
            found = further.read_bars("AAPL", *EVER, timeframe=timeframe)
            assert [each.extra for each in found] == [given, None]

    def test_b6_a_column_has_one_type_in_a_series(self, further: Recorder) -> None:
        """That of its first write; a misfit names row and column, and changes nothing."""
        first = {name: given[0] for name, given in VALUES.items()}
        further.write_bars("AAPL", [bar(DAY, extra=first)])
        for name in VALUES:
            for other in VALUES.keys() - {name}:
                if {name, other} == {"vwap", "trades"}:
                    continue  # numbers: see below
                wrong = bar(DAY, 5.0, extra={name: VALUES[other][0]})
                with refused(InvalidData, "[1]", repr(name), value=wrong.extra):
                    further.write_bars("AAPL", [bar(DAY + timedelta(1)), wrong])
        (read,) = further.read_bars("AAPL", *EVER)
        assert (read.close, read.extra) == (100.0, first)
        further.write_bars("AAPL", [bar(DAY, extra={"vwap": "as text"})], timeframe="1m")

    def test_b6_a_batch_with_two_types_in_a_column_is_refused(self, further: Recorder) -> None:
        """By row and column, before anything is written."""
        for value in ("1.5", True, DAY):
            batch = [bar(DAY, extra={"vwap": 1.5}), bar(DAY, extra={"vwap": value})]
            with refused(InvalidData, "[1]", "vwap", value=value):
                further.write_bars("AAPL", batch)
        assert further.read_bars("AAPL", *EVER) == []

    def test_b6_whole_numbers_become_floats_if_every_one_has_an_equal_float(
        self, further: Recorder
    ) -> None:
        """Of a series, of a batch, and of a write to a column of floats; else it is refused."""
        further.write_bars("AAPL", [bar(DAY, extra={"n": 2**53})])
        further.write_bars("AAPL", [bar(DAY + timedelta(1), extra={"n": 0.5})])
        further.write_bars("AAPL", [bar(DAY + timedelta(2), extra={"n": 7})])
        batch = [bar(DAY + timedelta(3), extra={"n": 1}), bar(DAY + timedelta(4), extra={"n": 2.5})]
        further.write_bars("AAPL", batch)
        read = [each.extra["n"] for each in further.read_bars("AAPL", *EVER)]
        assert [(type(each), each) for each in read] == [
            (float, each) for each in (2.0**53, 0.5, 7.0, 1.0, 2.5)
        ]
        with refused(InvalidData, "[0]", "n", value=2**53 + 1):
            further.write_bars("AAPL", [bar(DAY, extra={"n": 2**53 + 1})])
        further.write_bars("MSFT", [bar(DAY, symbol="MSFT", extra={"n": 2**53 + 1})])
        with refused(InvalidData, "[0]", "n", value="0.5 beside 2**53 + 1"):
            further.write_bars("MSFT", [bar(DAY, symbol="MSFT", extra={"n": 0.5})])
        assert further.read_bars("MSFT", *EVER)[0].extra == {"n": 2**53 + 1}

    def test_b6_any_text_is_the_name_of_a_column(self, further: Recorder) -> None:
        """Case, blanks and signs are kept, and names that look alike are distinguished."""
        given = {name: float(number) for number, name in enumerate(NAMES)}
        further.write_bars("AAPL", [bar(DAY, extra=given)])
        assert further.read_bars("AAPL", *EVER)[0].extra == given

    def test_b6_what_is_no_name_of_a_column_is_refused(self, further: Recorder) -> None:
        """One of the seven, an empty one, one with control characters."""
        for name in NO_NAMES:
            with refused(InvalidData, "bars[1]", value=name):
                further.write_bars("AAPL", [bar(DAY), bar(DAY, extra={name: 1.5})])
        for wrong in (7, [("vwap", 1.5)], "vwap"):
            with refused(InvalidData, "bars[1].extra", value=wrong):
                further.write_bars("AAPL", [bar(DAY), bar(DAY, extra=wrong)])
        assert further.read_bars("AAPL", *EVER) == []

    def test_b6_a_value_of_no_type_is_refused_by_row_and_column(self, further: Recorder) -> None:
        """Lists, bytes, whole numbers beyond 64 bits, text that is none, a bare date."""
        for value in NO_VALUES:
            with refused(InvalidData, "bars[1].extra", "'vwap'", value=value):
                further.write_bars("AAPL", [bar(DAY), bar(DAY, extra={"vwap": value})])
        assert further.read_bars("AAPL", *EVER) == []

    def test_b6_a_volume_that_was_not_reported_is_none(self, further: Recorder) -> None:
        """Beside others, with further columns and without: neither NaN nor 0."""
        given: list[Any] = [None, 0, 2**53 + 1, 0.5, None]
        for extra in (None, {"vwap": 1.5}):
            bars = [bar(DAY + timedelta(day), volume=v, extra=extra) for day, v in enumerate(given)]
            further.write_bars("AAPL", bars)
            assert further.read_bars("AAPL", *EVER) == bars
        table = read_bar_table(further, ["AAPL"], *EVER)
        assert [each is None for each in table["volume"].to_pylist()] == [v is None for v in given]

    def test_b6_a_table_has_the_seven_then_all_columns_by_name(self, columned: Recorder) -> None:
        """Of the documented types, null for bars without; a table that is read can be written."""
        columned.write_bars("AAPL", [bar(DAY), bar(DAY + timedelta(1), extra=_first_values())])
        columned.write_bars("MSFT", [bar(DAY, symbol="MSFT", volume=None)])
        table = columned.read_bar_table(["AAPL", "MSFT"], *EVER)
        assert table.column_names == [*FIELDS, *sorted(TYPES)]
        assert {name: str(table[name].type) for name in TYPES} == TYPES
        assert [table[name].null_count for name in (*TYPES, "volume")] == [2] * len(TYPES) + [1]
        columned.write_bar_table(table, timeframe="1w")
        for symbol in ("AAPL", "MSFT"):
            again = columned.read_bars(symbol, *EVER, timeframe="1w")
            assert again == columned.read_bars(symbol, *EVER)

    def test_b6_columns_are_asked_for_by_name(self, columned: Recorder) -> None:
        """In any order, beside the seven; one that no symbol has is an error with the nearest."""
        columned.write_bars("AAPL", [bar(DAY, extra={"vwap": 1.5, "venue": "X"})])
        columned.write_bars("MSFT", [bar(DAY, 7.0, symbol="MSFT")])
        both = columned.read_bar_table(["AAPL", "MSFT"], *EVER, columns=["vwap", "close"])
        assert both.to_pydict() == {"vwap": [1.5, None], "close": [100.0, 7.0]}
        empty = columned.read_bar_table("AAPL", DAY.replace(1990), DAY.replace(1991))
        assert (len(empty), empty.column_names) == (0, [*FIELDS, "venue", "vwap"])
        for symbols in ("AAPL", ["AAPL", "MSFT"]):
            with refused(InvalidData, "vwpa", "'vwap'", value="columns=['vwpa']"):
                columned.read_bar_table(symbols, *EVER, columns=["vwpa"])
        with refused(InvalidData, "vwap", value="a column of another symbol"):
            columned.read_bar_table("MSFT", *EVER, columns=["vwap"])

    def test_b6_symbols_without_further_columns_have_the_seven(self, columned: Recorder) -> None:
        """Whatever other symbols have; a column without type or values brings none."""
        import pyarrow as pa

        columned.write_bars("AAPL", [bar(DAY, extra={"vwap": 1.5})])
        table = bar_table([bar(DAY, symbol="MSFT")])
        columned.write_bar_table(table.append_column("none", pa.nulls(1)))
        read = columned.read_bar_table("MSFT", *EVER)
        assert (read.column_names, read.to_pylist()) == ([*FIELDS], table.to_pylist())

    def test_b6_a_column_stays_until_its_series_is_deleted(
        self, columned: Recorder, having: Callable[[str], Recorder]
    ) -> None:
        """Even if it is null in all bars; then it may come again with another type."""
        bulk = having("Bulk")
        bulk.write_bars("AAPL", [bar(DAY, extra={"vwap": 1.5}), bar(DAY + timedelta(1))])
        bulk.write_bars("AAPL", [bar(DAY)])
        assert bulk.delete_bars("AAPL", DAY, DAY) == 1
        assert bulk.read_bar_table("AAPL", *EVER)["vwap"].to_pylist() == [None]
        with refused(InvalidData, "vwap", value="text in a column of floats"):
            bulk.write_bars("AAPL", [bar(DAY, extra={"vwap": "X"})])
        assert bulk.delete_bars("AAPL", *EVER) == 1
        bulk.write_bars("AAPL", [bar(DAY, extra={"vwap": "X"})])
        assert bulk.read_bar_table("AAPL", *EVER)["vwap"].to_pylist() == ["X"]

    def test_b6_types_of_several_symbols_are_unified_or_refused(self, columned: Recorder) -> None:
        """Whole numbers beside floats are floats; text beside floats must be left out."""
        columned.write_bars("A", [bar(DAY, symbol="A", extra={"n": 7, "x": 1.5})])
        columned.write_bars("B", [bar(DAY, symbol="B", extra={"n": 0.5, "x": "X"})])
        read = columned.read_bar_table(["A", "B"], *EVER, columns=["n"])
        assert read["n"].to_pylist() == [7.0, 0.5]
        for columns in (None, ["close", "x"]):
            with refused(InvalidData, "'x'", value=f"columns={columns}"):
                columned.read_bar_table(["A", "B"], *EVER, columns=columns)

    def test_b6_a_table_may_give_columns_in_other_types_of_arrow(self, columned: Recorder) -> None:
        """Narrow numbers, categories, dates and naive timestamps; others are refused by name."""
        import pyarrow as pa

        table = bar_table([bar(DAY), bar(DAY + timedelta(1))])
        given = {
            "vwap": pa.array([0.5, None], pa.float32()),
            "trades": pa.array([1, None], pa.uint8()),
            "venue": pa.array(["X", None]).dictionary_encode(),
            "closed at": pa.array([DAY, None], pa.timestamp("s")),
        }
        for name, column in given.items():
            table = table.append_column(name, column)
        columned.write_bar_table(table)
        first, second = columned.read_bars("AAPL", *EVER)
        closed = DAY.replace(tzinfo=UTC)
        assert first.extra == {"vwap": 0.5, "trades": 1, "venue": "X", "closed at": closed}
        assert second.extra is None
        for wrong in (
            pa.array([[1.0], None]),
            pa.array([b"x", None]),
            pa.array([2**63, 0], pa.uint64()),
        ):
            with refused(InvalidData, "wrong", value=wrong.type):
                columned.write_bar_table(table.append_column("wrong", wrong))

    def test_b6_a_misfit_of_a_table_names_row_and_column_and_changes_no_symbol(
        self, columned: Recorder
    ) -> None:
        """Neither the symbol that fits nor the other one."""
        import pyarrow as pa

        columned.write_bars("AAPL", [bar(DAY, extra={"vwap": 1.5})])
        table = bar_table([bar(DAY, 5.0, symbol=name) for name in ("ZZZ", "AAPL", "AAA")])
        wrong = table.append_column("vwap", pa.array(["X", "Y", None]))
        with refused(InvalidData, "table[1]", "vwap", value="text in a column of floats"):
            columned.write_bar_table(wrong)
        assert columned.read_bar_table(["AAA", "AAPL", "ZZZ"], *EVER)["close"].to_pylist() == [100]

    def test_b6_every_table_of_a_stream_has_the_same_columns(
        self, further: Recorder, having: Callable[[str], Recorder]
    ) -> None:
        """Null where a symbol, or a part of a series, does not have them."""
        stream, year = having("BarStream"), timedelta(365)
        stream.write_bars("A", [bar(DAY - year * back, symbol="A") for back in range(8)])
        stream.write_bars("A", [bar(DAY, symbol="A", extra={"n": 7})])
        stream.write_bars("B", [bar(DAY - year, symbol="B", extra={"n": 0.5, "venue": "X"})])
        tables = list(stream.iter_bar_tables(["A", "B"], *EVER, max_bytes=128))
        names = {tuple(each.column_names) for each in tables}
        assert names == {(*FIELDS, "n", "venue")}
        assert {str(each["n"].type) for each in tables} == {"double"}
        assert [n for each in tables for n in each["n"].to_pylist() if n is not None] == [0.5, 7.0]
        some = stream.iter_bar_tables(["A", "B"], *EVER, columns=["venue"], max_bytes=128)
        assert {tuple(each.column_names) for each in some} == {("venue",)}
        with refused(InvalidData, "vneue", "'venue'", value="columns=['vneue']"):
            stream.iter_bar_tables(["A", "B"], *EVER, columns=["vneue"])

    def test_b6_columns_are_the_same_in_a_store_opened_again(
        self, further: Recorder, reopen: Callable[[], Any] | None
    ) -> None:
        """Their types too."""
        if reopen is None:
            pytest.skip("the suite gives no `reopen`, so nothing is said to outlive a store")
        bars = [bar(DAY, extra=_first_values(), volume=None), bar(DAY + timedelta(1))]
        further.write_bars("AAPL", bars)
        with reopen() as again:
            assert again.read_bars("AAPL", *EVER) == bars
            with refused(InvalidData, "vwap", value="text in a column of floats"):
                again.write_bars("AAPL", [bar(DAY, extra={"vwap": "X"})])

    def test_b6_a_checkpoint_covers_columns(
        self, further: Recorder, having: Callable[[str], Recorder]
    ) -> None:
        """A changed value makes another digest, and so does a volume that is 0 or missing."""
        store = having("Maintenance")
        given: list[dict[str, Any]] = [
            {"extra": {"vwap": 1.5}},
            {"extra": {"vwap": 2.5}},
            {"extra": {"other": 2.5}},
            {"extra": None},
            {"volume": 0},
            {"volume": None},
        ]
        found = []
        for fields in given:
            store.write_bars("AAPL", [bar(DAY, **fields)])
            found.append(_digest(store))
        assert len(set(found)) == len(found)
        store.write_bars("AAPL", [bar(DAY, **given[0])])
        assert _digest(store) == found[0]


def _digest(store: Any) -> str:
    (series,) = (each for each in store.checkpoint().bars if each.symbol == "AAPL")
    digest: str = series.digest
    return digest


def _first_values() -> dict[str, Any]:
    return {name: given[0] for name, given in VALUES.items()}


def _all_exact(bars: Iterable[PriceBar]) -> list[dict[str, tuple[type, Any]]]:
    """Return the further columns of bars, so that only equal values of one type are equal."""
    return [
        {
            name: (type(value), _bits(value))
            for name, value in (each.extra or {}).items()
            if value is not None
        }
        for each in bars
    ]


def _bits(value: Any) -> Any:
    return struct.pack("<d", value) if isinstance(value, float) else value
