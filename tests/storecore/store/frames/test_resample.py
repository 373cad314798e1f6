"""`resample`: bars of a longer timeframe, equal to those of pandas."""

from __future__ import annotations

import sys
import warnings
from datetime import UTC, date, datetime, timedelta
from types import ModuleType

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import storecore
from storecore import InvalidData, PriceBar, resample
from storecore.builtin.memory import MemoryDataStore
from storecore.store.frames.sessions import sessions_of

WAYS = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
DAY = datetime(2026, 3, 9)
MINUTE = timedelta(minutes=1)
RULES = [("1w", "W-MON"), ("1mo", "MS"), ("3mo", "QS"), ("1y", "YS"), ("2d", "2D"), ("5d", "5D")]


def bars(moments, volume=1.0, symbol="X", **further):
    """A bar for each moment, whose prices tell them apart."""
    count = len(moments)
    prices = {
        "open": [float(n) for n in range(count)],
        "high": [n + 0.75 for n in range(count)],
        "low": [n - 0.75 for n in range(count)],
        "close": [n + 0.5 for n in range(count)],
    }
    volumes = volume if isinstance(volume, list) else [volume] * count
    stamps = pa.array(moments, pa.timestamp("us", "UTC" if moments[0].tzinfo else None))
    columns = {"symbol": [symbol] * count, "date": stamps, **prices, "volume": volumes}
    return pa.table({**columns, **further})


def minutes(*spans):
    """The minutes of some spans of one day or several, given as texts in UTC."""
    return [
        at.to_pydatetime()
        for first, last in spans
        for at in pd.date_range(first, last, freq="min", inclusive="left")
    ]


def dates(found):
    return found["date"].to_pylist()


def by_pandas(frame, rule, **options):
    options |= {"origin": "epoch"} if rule[-1] in "Dhin" else {}
    made = frame.set_index("date").resample(rule, **options).agg(WAYS)
    return made[made["open"].notna()].reset_index()


@pytest.mark.parametrize(("to", "rule"), RULES)
@pytest.mark.parametrize("closed", ["left", "right"])
@pytest.mark.parametrize("label", ["left", "right"])
def test_bars_of_days_are_those_of_pandas(daily, table, to, rule, closed, label):
    found = resample(table, to, closed=closed, label=label).to_pandas()
    for symbol, frame in daily.groupby("symbol"):
        expected = by_pandas(frame, rule, closed=closed, label=label)
        ours = found[found["symbol"] == symbol].drop(columns="symbol").reset_index(drop=True)
        pd.testing.assert_frame_equal(ours, expected, check_dtype=False)


@pytest.mark.parametrize(("to", "rule"), [("5m", "5min"), ("1h", "1h"), ("7m", "7min")])
@pytest.mark.parametrize("closed", ["left", "right"])
def test_bars_of_minutes_are_those_of_pandas(to, rule, closed):
    given = bars(
        minutes(("2026-03-09 14:31", "2026-03-09 17:07"), ("2026-03-10", "2026-03-10 01:00"))
    )
    found = resample(given, to, closed=closed).to_pandas().drop(columns="symbol")
    expected = by_pandas(given.to_pandas(), rule, closed=closed, label="left")
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_symbols_are_kept_apart_and_rows_may_come_in_any_order(table):
    shuffled = table.take(list(range(len(table)))[::-1])
    assert resample(shuffled, "1w") == resample(table, "1w")
    assert set(resample(table, "1y")["symbol"].to_pylist()) == {"AAPL", "IBM"}


def test_the_result_can_be_written_to_a_store_and_says_what_it_is(table):
    with storecore.open_store("memory") as store:
        storecore.write_bar_table(store, table)
        weeks = resample(store, "1w", ["AAPL", "IBM"])
        storecore.write_bar_table(store, weeks, timeframe="1w")
        kept = storecore.read_bar_table(store, ["AAPL", "IBM"], timeframe="1w")
        assert kept.to_pylist() == weeks.to_pylist()
        assert weeks.schema.metadata[b"storecore.timeframe"] == b"1w"
        assert weeks.schema.metadata[b"storecore.backend"] == b"MemoryDataStore"
        february = resample(store, "1mo", "AAPL", "2005-02-01", "2005-02-28")
        assert february.to_pylist() == resample(table, "1mo").slice(1, 1).to_pylist()


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_a_frame_of_another_library_is_a_table_too(table, library):
    frame = table.to_pandas() if library is pd.DataFrame else pl.DataFrame(table)
    assert resample(frame, "1w").to_pylist() == resample(table, "1w").to_pylist()


def test_dates_are_of_the_kind_that_they_were():
    aware = [DAY.replace(tzinfo=UTC), DAY.replace(tzinfo=UTC) + timedelta(1)]
    assert dates(resample(bars(aware), "1w")) == aware[:1]
    assert dates(resample(bars([DAY, DAY + timedelta(1)]), "1w")) == [DAY]


def test_a_table_without_rows_gives_none(calendar):
    for by in ("time", "session"):
        assert resample(bars([DAY]).slice(0, 0), "1w", by=by).num_rows == 0
    empty = bars([DAY]).slice(0, 0)
    assert resample(empty, "1h", by="session", calendar=calendar()).num_rows == 0


# Volumes and further columns.


def test_volumes_that_were_not_reported_are_left_out_of_the_sum():
    moments = [DAY + timedelta(n) for n in (0, 1, 7)]
    found = resample(bars(moments, [2.0, None, None]), "1w")
    assert found["volume"].to_pylist() == [2.0, None]
    none = bars(moments, [None] * 3)
    assert resample(none, "1w")["volume"].to_pylist() == [None, None]


def test_whole_volumes_are_summed_exactly_and_never_wrap_around():
    large = pa.array([2**62 + 1, 5], pa.int64())
    moments = [DAY, DAY + timedelta(1)]
    assert resample(bars(moments, large.to_pylist()), "1w")["volume"].to_pylist() == [2**62 + 6]
    larger = resample(bars(moments, [2**62, 2**62]), "1w")["volume"]
    assert (larger.type, larger.to_pylist()) == (pa.float64(), [2.0**63])


def test_further_columns_become_one_as_the_caller_says():
    given = bars([DAY, DAY + timedelta(1)], trades=[3, 4], vwap=[1.0, None], note=["a", "b"])
    found = resample(given, "1w", extra={"trades": "sum", "vwap": "mean", "note": "last"})
    assert found.column_names[-4:] == ["volume", "trades", "vwap", "note"]
    assert found.select(["trades", "vwap", "note"]).to_pylist() == [
        {"trades": 7, "vwap": 1.0, "note": "b"}
    ]
    assert "trades" not in resample(given, "1w").column_names


# Days of a zone, and sessions.


def test_days_are_those_of_the_zone_and_dated_as_they_are_written_there():
    given = bars(
        minutes(("2026-03-08 15:00", "2026-03-09 15:00"), ("2026-03-09 15:00", "2026-03-09 15:02"))
    )
    found = resample(given, "1d", zone="Asia/Tokyo")
    assert dates(found) == [DAY, DAY + timedelta(1)]
    assert found["volume"].to_pylist() == [24 * 60, 2]


def test_the_day_of_a_clock_change_has_23_hours():
    given = bars(minutes(("2026-03-08 05:00", "2026-03-10 04:00")))
    found = resample(given, "1d", zone="America/New_York")
    assert found["volume"].to_pylist() == [23 * 60, 24 * 60]


def test_bars_of_whole_days_have_no_zone(table, calendar):
    assert resample(table, "1w", zone="America/New_York") == resample(table, "1w")
    assert resample(table, "1w", by="session", calendar=calendar()) == resample(table, "1w")


WEEK = [("2026-03-09 13:00", "2026-03-09 22:00"), ("2026-03-10 00:00", "2026-03-10 15:00")]


def test_minutes_outside_the_sessions_of_a_calendar_are_left_out(calendar):
    found = resample(bars(minutes(*WEEK)), "1d", by="session", calendar=calendar())
    assert dates(found) == [DAY, DAY + timedelta(1)]
    assert found["volume"].to_pylist() == [390, 30]
    assert found["open"].to_pylist() == [90.0, 540.0 + 870]


def test_hours_of_a_session_are_counted_from_its_open(calendar):
    found = resample(bars(minutes(*WEEK[:1])), "1h", by="session", calendar=calendar())
    opening = datetime(2026, 3, 9, 14, 30)
    assert dates(found) == [opening + n * timedelta(hours=1) for n in range(7)]
    assert found["volume"].to_pylist() == [60] * 6 + [30]
    right = resample(
        bars(minutes(*WEEK[:1])), "1h", by="session", calendar=calendar(), label="right"
    )
    assert dates(right)[0] == opening + timedelta(hours=1)


def test_bars_that_are_dated_by_their_end_belong_to_the_session_that_ends_with_them(calendar):
    ends = [at + MINUTE for at in minutes(("2026-03-09 14:29", "2026-03-09 21:01"))]
    options = {"by": "session", "calendar": calendar(), "closed": "right"}
    found = resample(bars(ends), "1d", **options)
    assert (dates(found), found["volume"].to_pylist()) == ([DAY], [390])
    hours = resample(bars(ends), "1h", **options)
    assert hours["volume"].to_pylist() == [60] * 6 + [30]


def test_without_a_calendar_each_day_is_a_session_from_its_first_bar_on():
    given = bars(
        minutes(("2026-03-09 14:30", "2026-03-09 16:00"), ("2026-03-10 13:15", "2026-03-10 14:00"))
    )
    found = resample(given, "1h", by="session", zone="America/New_York")
    assert dates(found) == [
        datetime(2026, 3, 9, 14, 30),
        datetime(2026, 3, 9, 15, 30),
        datetime(2026, 3, 10, 13, 15),
    ]
    both = pa.concat_tables(
        [bars(minutes(("2026-03-09 10:10", "2026-03-09 10:40")), symbol="A"), given]
    )
    found = resample(both, "1h", by="session")
    assert dates(found)[:2] == [datetime(2026, 3, 9, 10, 10), datetime(2026, 3, 9, 14, 30)]


def test_a_calendar_is_given_by_its_name(monkeypatch, calendar):
    asked = []

    def get_calendar(name, start, end):
        asked.append((name, start, end))
        if name != "XNYS":
            raise ValueError(f"{name} is no calendar")
        return calendar()

    library = ModuleType("exchange_calendars")
    library.get_calendar = get_calendar
    monkeypatch.setitem(sys.modules, "exchange_calendars", library)
    found = resample(bars(minutes(*WEEK)), "1d", by="session", calendar="XNYS")
    assert dates(found) == [DAY, DAY + timedelta(1)]
    assert asked == [("XNYS", "2026-03-01", "2026-03-18")]
    with pytest.raises(InvalidData, match="calendar='XXXX': XXXX is no calendar"):
        resample(bars(minutes(*WEEK)), "1d", by="session", calendar="XXXX")


def test_the_sessions_of_a_real_calendar():
    library = pytest.importorskip("exchange_calendars")
    given = bars(
        minutes(("2026-11-25 14:00", "2026-11-25 22:00"), ("2026-11-27 14:00", "2026-11-27 22:00"))
    )
    by_name = resample(given, "1d", by="session", calendar="XNYS")
    assert by_name["volume"].to_pylist() == [390, 210]  # the day after Thanksgiving is short
    calendar = library.get_calendar("XNYS", start="2026-11-02", end="2026-12-31")
    assert resample(given, "1d", by="session", calendar=calendar) == by_name


def test_without_exchange_calendars_a_name_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(InvalidData, match=r"run: pip install 'storecore\[calendars\]'"):
        resample(bars(minutes(*WEEK)), "1d", by="session", calendar="XNYS")


def test_a_calendar_that_does_not_reach_the_bars_is_refused(calendar):
    old = calendar(("2020-01-06", "2020-01-07"))
    with pytest.raises(InvalidData, match=r"does not reach from 2026-03-08 to 2026-03-11; make it"):
        resample(bars(minutes(*WEEK)), "1d", by="session", calendar=old)
    assert sessions_of(calendar(), *(int(at.timestamp()) * 10**6 for at in (FAR, FAR))) == (
        [],
        [],
        [],
    )


FAR = datetime(2026, 3, 7, tzinfo=UTC)


# What is refused.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": "week-ish"}, r"^to='week-ish': expected a number and one of s, m, h, d, w, mo, y"),
        ({"to": 5}, r"^to=5: expected"),
        ({"closed": "both"}, r'^closed=\'both\': expected "left" or "right"'),
        ({"label": None}, r"^label=None: expected"),
        ({"by": "day"}, r"^by='day': expected"),
        ({"calendar": "XNYS"}, r'^calendar: it goes with by="session"'),
        ({"calendar": "XNYS", "by": "session", "zone": "UTC"}, r"^calendar: it goes with"),
        ({"to": "1h", "zone": "Asia/Tokyo"}, r"^zone='Asia/Tokyo': bins shorter than a day"),
        ({"zone": "Mars/Olympus"}, r"^zone='Mars/Olympus': not a time zone"),
        (
            {"by": "session", "closed": "right"},
            r'^closed="right": bars that are dated by their end',
        ),
        ({"by": "session", "calendar": 7}, r"^calendar=int: expected a calendar of exchange"),
        ({"extra": {"volume": "sum"}}, r"^extra: volume is not a further column"),
        ({"extra": {"trades": "summ"}}, r"^extra=\{'trades': 'summ'\}: .*did you mean 'sum'"),
        ({"extra": {"trades": "sum"}}, r"^table: no column trades"),
        ({"symbols": "X"}, r"^symbols, start and end are for a store"),
        ({"start": date(2026, 1, 1)}, r"^symbols, start and end are for a store"),
    ],
)
def test_what_makes_no_sense_is_refused_in_plain_words(options, message):
    with pytest.raises(InvalidData, match=message):
        resample(bars(minutes(*WEEK)), options.pop("to", "1d"), **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda given: given.drop(["open"]), r"^table: no column open"),
        (lambda given: given.rename_columns(["symbol", "dat", *given.column_names[2:]]), "'dat'"),
        (
            lambda given: given.rename_columns(["Ticker", "Day", *given.column_names[2:]]),
            r"^table: no column symbol \(rename 'Ticker'\); no column date \(rename 'Day'\)$",
        ),
        (
            lambda given: given.set_column(0, "symbol", pa.array([None], pa.string())),
            "symbol: a value",
        ),
        (
            lambda given: given.set_column(1, "date", pa.array(["2026-01-05"])),
            "expected timestamps",
        ),
        (
            lambda given: given.set_column(1, "date", pa.array([1], pa.timestamp("ns"))),
            "finer than a microsecond",
        ),
        (
            lambda given: [PriceBar("X", DAY, 1, 1, 1, 1, 1)],
            r"^table: expected a table of bars.*list",
        ),
    ],
)
def test_what_is_no_table_of_bars_is_refused(change, message):
    with pytest.raises(InvalidData, match=message):
        resample(change(bars([DAY])), "1w")


def test_of_a_store_the_symbols_have_to_be_named():
    with (
        storecore.open_store("memory") as store,
        pytest.raises(InvalidData, match=r"^symbols: exp"),
    ):
        resample(store, "1w")


@pytest.mark.parametrize("to", ["1h", "1d"])
def test_a_finer_timeframe_is_refused_for_a_store_and_for_its_table(to):
    store = storecore.open_store("memory")
    storecore.write_bar_table(store, bars([DAY, DAY + timedelta(7)]), timeframe="1w")
    words = f"to='{to}': the bars have the timeframe '1w', and '{to}' is finer"
    with pytest.raises(InvalidData, match=words):
        resample(store, to, "X", timeframe="1w")
    with pytest.raises(InvalidData, match=words):
        resample(storecore.read_bar_table(store, "X", timeframe="1w"), to)


def test_a_table_that_states_no_timeframe_is_not_refused():
    assert len(resample(bars([DAY, DAY + timedelta(7)]), "1d")) == 2


def resampled(store, symbols, **options):
    """Return the number of bars, and what is said about it."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        count = len(resample(store, "1w", symbols, **options))
    assert {each.filename for each in found} <= {__file__}, "at the line that called storecore"
    return count, [str(each.message) for each in found]


def test_a_symbol_that_a_store_does_not_have_gives_a_warning_with_the_nearest():
    with storecore.open_store("memory") as store:
        for symbol in ("AAPL", "MSFT"):
            storecore.write_bar_table(store, bars([DAY], symbol=symbol))
        assert resampled(store, iter(["AAPL", "AAPLL", "?"])) == (
            1,
            ["the store has no 1d bars of 'AAPLL', did you mean 'AAPL'?; '?'"],
        )
        assert resampled(store, "AAPL", timeframe="5m") == (
            0,
            ["the store has no 5m bars of 'AAPL', which has 1d"],
        )
        (text,) = resampled(store, [f"NONE {number}" for number in range(7)])[1]
        assert text.endswith("; and so with 2 more symbols")


def test_a_range_without_bars_of_a_symbol_that_a_store_has_gives_none():
    with storecore.open_store("memory") as store:
        storecore.write_bar_table(store, bars([DAY], symbol="AAPL"))
        assert resampled(store, "AAPL") == (1, [])
        assert resampled(store, ["AAPL"], end="2020-01-01") == (0, [])


def test_a_store_that_lists_nothing_says_nothing():
    class Plain:
        def read_bars(self, *args, **kwargs):
            return []

    class OfEarlierApi(MemoryDataStore):
        nearest = None

    assert resampled(Plain(), "AAPL") == (0, [])
    assert resampled(OfEarlierApi(), "AAPL") == (0, ["the store has no 1d bars of 'AAPL'"])


def test_a_sum_of_whole_numbers_of_a_further_column_does_not_wrap_around():
    table = bars([DAY, DAY + MINUTE], trades=pa.array([2**62, 2**62], pa.int64()))
    assert resample(table, "1h", extra={"trades": "sum"})["trades"].to_pylist() == [2.0**63]
    exact = bars([DAY, DAY + MINUTE], trades=pa.array([2**62, 1], pa.int64()))
    found = resample(exact, "1h", extra={"trades": "sum"})["trades"]
    assert (found.type, found.to_pylist()) == (pa.int64(), [2**62 + 1])


def test_a_volume_of_unsigned_numbers_is_summed():
    table = bars([DAY, DAY + MINUTE])
    table = table.set_column(6, "volume", pa.array([2**64 - 1, 1], pa.uint64()))
    assert resample(table, "1h")["volume"].to_pylist() == [2.0**64]


@pytest.mark.parametrize("way", ["sum", "mean"])
@pytest.mark.parametrize("values", [["a", "b"], pa.array([1, 2], pa.timestamp("us", "UTC"))])
def test_what_is_no_number_has_neither_sum_nor_mean(way, values):
    with pytest.raises(InvalidData, match=rf"extra=\{{'x': '{way}'\}}: the column has"):
        resample(bars([DAY, DAY + MINUTE], x=values), "1h", extra={"x": way})


@pytest.mark.parametrize(
    ("moment", "to", "options"),
    [
        (datetime(9999, 12, 31), "1w", {"label": "right"}),
        (datetime(1, 1, 1), "1d", {"closed": "right"}),
        (datetime(9999, 12, 31, 23), "1d", {"zone": "Asia/Tokyo"}),
    ],
)
def test_a_bar_is_not_dated_outside_the_calendar(moment, to, options):
    with pytest.raises(InvalidData, match="outside the years 1 to 9999"):
        resample(bars([moment]), to, **options)


def test_a_zone_that_only_python_knows_is_refused(monkeypatch):
    monkeypatch.setattr("storecore.store.frames.bars.ZoneInfo", str)
    with pytest.raises(InvalidData, match="zone='Mars/X': not a time zone that is known here"):
        resample(bars([DAY + MINUTE]), "1d", zone="Mars/X")


def test_prices_that_are_no_numbers_are_refused():
    table = bars([DAY]).set_column(2, "open", pa.array(["1.5"]))
    with pytest.raises(InvalidData, match=r"table\.open: expected numbers, got string"):
        resample(table, "1w")
