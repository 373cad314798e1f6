"""The forms of a table of bars: which Arrow types are taken, and which are given."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from storecore.errors import InvalidData
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import EVER, EVER_UTC, NOON, TICK, bar, bar_table, refused

PRICES = ("open", "high", "low", "close")


class FormLaws(Fixtures):
    """Who reads a table joins it to others, by its types."""

    @pytest.fixture
    def formed(self, having: Callable[[str], Recorder]) -> Recorder:
        """The subject, if it takes and gives tables."""
        return having("BarTables")

    def test_bar_tables_have_the_documented_types(self, formed: Recorder) -> None:
        """With rows and without, in a table and in a stream, for any columns that are asked for."""
        formed.write_bars("AAPL", [bar(NOON, volume=7)])
        formed.write_bars("BIG", [bar(symbol="BIG", volume=2**53 + 1)])
        for symbol, whole in (("AAPL", False), ("NONE", False), ("BIG", True)):
            for bounds in (EVER, EVER_UTC):
                right = _types(aware=bounds[0].tzinfo is not None, whole=whole)
                read = formed.read_bar_table([symbol], *bounds)
                assert _types_of(read) == right, f"{symbol} from {bounds[0]}"
        columns = ["volume", "symbol"]
        found = _types_of(formed.read_bar_table("NONE", *EVER, columns=columns))
        assert found == {name: _types()[name] for name in columns}

    def test_bar_stream_has_the_documented_types(self, having: Callable[[str], Recorder]) -> None:
        """As a table has them."""
        stream = having("BarStream")
        stream.write_bars("AAPL", [bar(NOON, volume=7), bar(NOON + TICK)])
        tables = list(stream.iter_bar_tables("AAPL", *EVER, max_bytes=1))
        assert [_types_of(each) for each in tables] == [_types()] * len(tables)

    def test_bar_tables_take_symbols_and_numbers_of_any_width(self, formed: Recorder) -> None:
        """Dictionaries, long texts, small floats and ints; columns in any order, in chunks."""
        import pyarrow as pa

        bars = [bar(NOON + n * TICK, float(n), symbol=s) for s in ("A", "B") for n in range(3)]
        plain = bar_table(bars)
        kinds = [pa.dictionary(pa.int32(), pa.string()), pa.large_string()]
        forms = [_cast(plain, "symbol", kind) for kind in kinds]
        forms += [_cast(plain, "close", kind) for kind in (pa.float32(), pa.int64(), pa.int8())]
        forms += [_cast(plain, "volume", kind) for kind in (pa.int32(), pa.uint64())]
        forms += [plain.select(plain.column_names[::-1])]
        forms += [pa.concat_tables([plain.slice(0, 2), plain.slice(2, 0), plain.slice(2)])]
        for number, table in enumerate(forms):
            timeframe = f"t{number}"
            formed.write_bar_table(table, timeframe=timeframe)
            read = formed.read_bar_table(["A", "B"], *EVER, timeframe=timeframe)
            assert read.to_pylist() == plain.to_pylist(), f"{table.schema}"

    def test_bar_tables_take_what_speaks_the_arrow_interface(self, formed: Recorder) -> None:
        """A stream that can be read once, of several batches."""
        plain = bar_table([bar(NOON + number * TICK) for number in range(6)])
        formed.write_bar_table(plain.to_reader(max_chunksize=2))
        assert formed.read_bar_table("AAPL", *EVER).to_pylist() == plain.to_pylist()

    def test_bar_tables_take_frames_by_their_keywords(
        self, offering: Callable[..., Recorder]
    ) -> None:
        """Names in any case, texts of dates, days as they are written, rows without prices."""
        import pyarrow as pa

        tables, rows = offering("write_bar_table"), 3
        prices = {name.title(): pa.array([1.0, None, 3.0]) for name in PRICES}
        days = [f"2026-03-0{day}T00:00+09:00" for day in (1, 2, 3)]
        frame = pa.table({"Datetime": days, **prices, "vol": [7] * rows, "Trades": [1] * rows})
        keywords: dict[str, Any] = {"columns": {"volume": "vol"}, "missing": "skip"}
        tables.write_bar_table(frame, symbol="AAPL", extra="ignore", day="written", **keywords)
        read = tables.read_bars("AAPL", *EVER)
        dates = [NOON.replace(month=3, day=day, hour=0) for day in (1, 3)]
        assert [(each.date, each.close, each.volume) for each in read] == [
            (dates[0], 1.0, 7),
            (dates[1], 3.0, 7),
        ]
        with refused(InvalidData, "volume", "vol", value="a frame without a volume"):
            tables.write_bar_table(frame, symbol="AAPL")

    def test_t1_a_table_of_finer_times_is_refused_and_never_rounded(self, formed: Recorder) -> None:
        """Nanoseconds that are whole microseconds are taken, and so are dates."""
        import pyarrow as pa

        micros = bar_table([bar(NOON), bar(NOON + TICK)])
        finer = _cast(micros, "date", pa.timestamp("ns"))
        formed.write_bar_table(finer)
        assert formed.read_bar_table("AAPL", *EVER)["date"].to_pylist() == [NOON, NOON + TICK]
        place = finer.schema.get_field_index("date")
        numbers = pa.array([each.value + 1 for each in finer["date"]], pa.int64())
        wrong = finer.set_column(place, "date", numbers.cast(pa.timestamp("ns")))
        with refused(InvalidData, "0", "date", value="a time of a nanosecond"):
            formed.write_bar_table(wrong)
        days = micros.slice(0, 1).set_column(place, "date", pa.array([date(2026, 3, 1)]))
        formed.write_bar_table(days, timeframe="1w")
        (read,) = formed.read_bars("AAPL", *EVER, timeframe="1w")
        assert read.date == NOON.replace(month=3, day=1, hour=0)

    def test_b2_a_wrong_value_in_any_column_of_a_table_refuses_it(self, formed: Recorder) -> None:
        """NaN, infinity, none, and a volume below 0: the error names row and field."""
        import pyarrow as pa

        plain = bar_table([bar(NOON), bar(NOON + TICK)])
        wrong: list[tuple[str, Any]] = [
            (name, value)
            for name in (*PRICES, "volume")
            for value in (float("nan"), float("inf"), -float("inf"))
        ]
        wrong += [(name, None) for name in ("symbol", "date", *PRICES)] + [("volume", -1.0)]
        for name, value in wrong:
            place = plain.schema.get_field_index(name)
            column = pa.array([plain[name][0].as_py(), value], plain[name].type)
            with refused(InvalidData, "1", name, value=(name, value)):
                formed.write_bar_table(plain.set_column(place, name, column))
        for name, kind in (("close", "string"), ("date", "int64"), ("symbol", "int64")):
            place = plain.schema.get_field_index(name)
            column = pa.array([1, 2]).cast(kind)
            with refused(InvalidData, name, value=(name, kind)):
                formed.write_bar_table(plain.set_column(place, name, column))
        assert formed.read_bars("AAPL", *EVER) == []


def _types(*, aware: bool = False, whole: bool = False) -> dict[str, str]:
    """Return the documented type of each column."""
    found = {"symbol": "string", "date": "timestamp[us, tz=UTC]" if aware else "timestamp[us]"}
    return found | dict.fromkeys(PRICES, "double") | {"volume": "int64" if whole else "double"}


def _types_of(table: Any) -> dict[str, str]:
    return {each.name: str(each.type) for each in table.schema}


def _cast(table: Any, name: str, kind: Any) -> Any:
    place = table.schema.get_field_index(name)
    column = table[name].dictionary_encode() if "dictionary" in str(kind) else table[name]
    return table.set_column(place, name, column.cast(kind))
