"""Warnings of bars that are kept as given, but look as if something else was meant."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import storecore
from storecore import InvalidData, StoreWarning
from storecore.builtin.memory import MemoryDataStore
from storecore.store.frames.silence import silenced

JAN_5 = datetime(2026, 1, 5)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
ALWAYS = datetime.min, datetime.max


def table(dates, symbol="AAPL", kind=None):
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), [1.0] * len(dates))
    return pa.table({"symbol": [symbol] * len(dates), "date": pa.array(dates, kind), **prices})


def every(step, count, start=JAN_5):
    return [start + step * each for each in range(count)]


def warned(given, **keywords):
    """What is said about a table, and how many of its bars are then there."""
    store = MemoryDataStore()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        storecore.write_bar_table(store, given, **keywords)
    timeframe = keywords.get("timeframe", "1d")
    kept = sum(len(store.read_bars(each, *ALWAYS, timeframe=timeframe)) for each in store.symbols())
    assert {each.category for each in found} <= {StoreWarning}
    assert {each.filename for each in found} <= {__file__}, "at the line that called storecore"
    return [str(each.message) for each in found], kept


@pytest.mark.parametrize(
    ("dates", "timeframe", "message"),
    [
        (
            every(MINUTE, 5),
            "1d",
            "AAPL, timeframe '1d': it looks like bars of 1m; if so, give timeframe '1m'",
        ),
        (
            every(DAY, 5),
            "1m",
            "AAPL, timeframe '1m': it looks like bars of 1d; if so, give timeframe '1d'",
        ),
        (
            [*every(DAY, 5), *every(DAY, 5, JAN_5 + 15 * 60 * MINUTE)],
            "1d",
            "AAPL, timeframe '1d': it looks like days that are stamped in different ways, at 00:00 "
            'and 15:00 UTC; with day="written" each is filed under the day that is written',
        ),
    ],
)
def test_dates_that_do_not_fit_the_timeframe_are_kept_with_a_warning(dates, timeframe, message):
    assert warned(table(dates), timeframe=timeframe) == ([message], len(dates))


@pytest.mark.parametrize("extra", ["keep", "ignore"])
def test_the_timeframe_that_a_table_states_is_named(extra):
    store = MemoryDataStore()
    storecore.write_bar_table(store, table(every(MINUTE, 5)), timeframe="1m")
    minutes = storecore.read_bar_table(store, "AAPL", timeframe="1m")
    assert warned(minutes, extra=extra)[0] == [
        "AAPL, timeframe '1d': it looks like bars of 1m; the table is one of 1m bars; give "
        "timeframe '1m'"
    ]


def test_the_metadata_of_others_states_no_timeframe():
    given = table(every(MINUTE, 5)).replace_schema_metadata({b"made by": b"me"})
    assert "if so, give timeframe '1m'" in warned(given)[0][0]


def test_dates_that_fit_give_no_warning():
    assert warned(table(every(DAY, 5))) == ([], 5)
    assert warned(table(every(MINUTE, 5)), timeframe="1m") == ([], 5)
    assert warned(table(every(MINUTE, 5)), timeframe="session") == ([], 5)


def test_the_last_day_of_a_symbol_and_the_first_of_the_next_are_not_compared():
    both = pa.concat_tables([table(every(DAY, 2)), table(every(DAY, 2, JAN_5 + DAY), "MSFT")])
    assert warned(both) == ([], 4)


def test_each_series_is_warned_of_and_of_many_the_first():
    many = pa.concat_tables([table(every(MINUTE, 2), f"S{number}") for number in range(7)])
    found, kept = warned(many)
    assert [each.partition(",")[0] for each in found[:5]] == [f"S{number}" for number in range(5)]
    assert found[5:] == ["timeframe '1d': so do the bars of 2 more symbols"]
    assert kept == 14


def test_an_unusual_spelling_is_kept_with_a_hint():
    hint = "timeframe '1D': did you mean '1d'? They name different series; a store keeps both"
    assert warned(table(every(DAY, 2)), timeframe="1D") == ([hint], 2)


@pytest.mark.parametrize("is_plain", [True, False])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "+09:00"])
def test_days_at_the_midnights_of_a_zone_are_kept_with_a_hint(zone, is_plain):
    local = pd.DatetimeIndex(every(DAY, 3)).tz_localize(zone)
    given = table(pa.array(local))
    found, kept = warned(given if is_plain else given.to_pandas().rename(columns=str.upper))
    assert kept == 3
    (text,) = found
    assert f"the dates are midnights in {zone}," in text.replace("UTC+09:00", "+09:00")
    assert 'give day="written"' in text


@pytest.mark.parametrize(
    "texts",
    [
        ["2026-01-07T00:00:00-05:00"],
        ["2026-01-07 00:00-0500", None, "2026-06-07 00:00-0400"],
        ["2026-01-07T00:00:00.000-05:00 "],
        pa.array(["2026-01-07T00:00:00-05:00"]).dictionary_encode(),
    ],
)
def test_texts_of_midnights_with_an_offset_are_kept_with_a_warning(texts):
    given = table(pa.array(texts))
    given = given.filter(given["date"].is_valid())
    (text,) = warned(given)[0]
    assert "the dates are midnights in UTC-05:00, and are kept as instants" in text


@pytest.mark.parametrize(
    "texts",
    [
        ["2026-01-07T00:00:00Z"],
        ["2026-01-07T00:00:00+00:00"],
        ["2026-01-07"],
        ["2026-01-07T00:00"],
        ["2026-01-07T00:00-05:00", "2026-01-08T09:00-05:00"],
    ],
)
def test_other_texts_give_none(texts):
    assert warned(table(texts)) == ([], len(texts))


@pytest.mark.parametrize(
    ("dates", "zone", "timeframe"),
    [
        (every(DAY, 3), "UTC", "1d"),
        (every(DAY, 3), "Europe/London", "1d"),
        (every(DAY, 3, JAN_5 + MINUTE), "Asia/Tokyo", "1d"),
        (every(DAY, 2), "Asia/Tokyo", "1m"),
        (every(DAY, 3), "Asia/Tokyo", "session"),
    ],
)
def test_other_times_of_a_zone_give_none(dates, zone, timeframe):
    local = pd.DatetimeIndex(dates).tz_localize(zone)
    assert warned(table(pa.array(local)), timeframe=timeframe) == ([], len(dates))


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "Pacific/Kiritimati", None])
@pytest.mark.parametrize("timeframe", ["1d", "1w", "session"])
def test_a_written_day_is_that_day_in_any_zone(zone, timeframe):
    store, days = MemoryDataStore(), every(DAY, 3)
    local = pd.DatetimeIndex(days).tz_localize(zone)
    storecore.write_bar_table(store, table(pa.array(local)), day="written", timeframe=timeframe)
    assert [bar.date for bar in store.read_bars("AAPL", *ALWAYS, timeframe=timeframe)] == days


@pytest.mark.parametrize(
    "text", ["2024-03-12 00:00+09:00", "2024-03-12T23:30:00-05:00", "2024-03-12", "20240312"]
)
def test_a_written_day_of_a_text_is_the_one_in_it(text):
    store = MemoryDataStore()
    storecore.write_bar_table(store, table([text]), day="written")
    assert [bar.date for bar in store.read_bars("AAPL", *ALWAYS)] == [datetime(2024, 3, 12)]


def test_a_written_day_changes_no_time_within_a_day():
    store = MemoryDataStore()
    storecore.write_bar_table(store, table([JAN_5 + MINUTE]), day="written", timeframe="1m")
    assert [bar.date for bar in store.read_bars("AAPL", *ALWAYS, timeframe="1m")] == [
        JAN_5 + MINUTE
    ]


def test_with_the_warning_as_an_error_nothing_is_written():
    store = MemoryDataStore()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(StoreWarning):
            storecore.write_bar_table(store, table(every(MINUTE, 5)))
    assert store.symbols() == []


def test_a_copy_warns_of_nothing():
    source, target = MemoryDataStore(), MemoryDataStore()
    storecore.write_bar_table(source, table(every(MINUTE, 5)), timeframe="1D")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert storecore.copy_store(source, target).ok


# Rows that repeat a date.

REPEATED = (
    "timeframe '1m': 2 rows repeat a date of their series with other values, the last of each was "
    "taken; if they are bars of their own, the dates lack their time"
)


@pytest.mark.parametrize("convert", [pa.Table.to_pandas, pl.from_arrow, lambda given: given])
@pytest.mark.parametrize("as_category", [False, True])
def test_different_rows_of_one_date_are_counted(convert, as_category):
    given = table([JAN_5, JAN_5 + DAY, JAN_5, JAN_5]).drop("close")
    given = given.append_column("close", pa.array([1.0, 2.0, 3.0, 4.0]))
    if as_category:
        given = given.set_column(0, "symbol", given["symbol"].dictionary_encode())
    assert warned(convert(given), timeframe="1m") == ([REPEATED], 2)


def test_rows_that_differ_in_a_further_column_only_are_counted():
    given = table([JAN_5, JAN_5, JAN_5]).append_column("trades", pa.array([1, 2, 3]))
    assert warned(given, timeframe="1m") == ([REPEATED], 1)


def test_equal_rows_of_one_date_give_no_warning():
    assert warned(table([JAN_5, JAN_5])) == ([], 1)


def test_a_copy_of_repeated_rows_warns_of_nothing():
    given = table([JAN_5, JAN_5]).set_column(5, "close", pa.array([1.0, 2.0]))
    with silenced():
        assert warned(given) == ([], 1)


def test_a_copy_of_bars_that_do_not_fit_the_timeframe_warns_of_nothing():
    with silenced():
        assert warned(table(every(MINUTE, 5))) == ([], 5)


# Several rows of a written day.

ON_A_DAY = (
    "table[1].date: rows of 'AAPL' are different times of 2026-01-06 (3 rows: 1-3), and "
    'day="written" files one bar a day; give the timeframe that they have, such as '
    'timeframe="1m", or keep one row of each day'
)
TEXTS = ["2026-01-05", "2026-01-06T00:00Z", "2026-01-06T00:00+09:00", "2026-01-06"]


@pytest.mark.parametrize("timeframe", ["1d", "1w", "session"])
@pytest.mark.parametrize("dates", [[JAN_5, *every(MINUTE, 3, JAN_5 + DAY)], TEXTS])
def test_rows_that_fall_onto_one_written_day_are_refused(dates, timeframe):
    store = MemoryDataStore()
    with pytest.raises(InvalidData) as caught:
        storecore.write_bar_table(store, table(dates), day="written", timeframe=timeframe)
    assert str(caught.value) == ON_A_DAY
    assert store.symbols() == []


def test_of_many_written_days_with_several_rows_the_first_is_shown():
    dates = [*every(MINUTE, 3), *every(MINUTE, 3, JAN_5 + DAY)]
    with pytest.raises(InvalidData, match=r"3 rows: 0-2\), and so are those of 1 more days"):
        storecore.write_bar_table(MemoryDataStore(), table(dates), day="written")


@pytest.mark.parametrize("dates", [[JAN_5, JAN_5], ["2026-01-05T00:00Z", "2026-01-05T09:00+09:00"]])
def test_of_rows_of_one_moment_on_a_written_day_the_last_wins(dates):
    assert warned(table(dates), day="written")[1] == 1


def test_rows_of_a_written_day_without_prices_do_not_count():
    given = table(every(MINUTE, 2)).to_pandas()
    given.loc[1, ["open", "high", "low", "close"]] = None
    assert warned(given, day="written", missing="skip")[1] == 1


# Midnights of a zone that nobody names any more.


def in_utc(zone, count=5, first=JAN_5):
    return pd.DatetimeIndex(every(DAY, count, first)).tz_localize(zone).tz_convert("UTC")


@pytest.mark.parametrize("form", ["aware", "naive", "of pandas", "texts", "nanoseconds"])
def test_days_that_look_like_midnights_of_a_zone_are_kept_with_a_warning(form):
    moments = in_utc("America/New_York")
    forms = {
        "aware": lambda: table(pa.array(moments)),
        "naive": lambda: table(pa.array(moments.tz_localize(None))),
        "of pandas": lambda: table(pa.array(moments)).to_pandas().rename(columns=str.upper),
        "texts": lambda: table([each.isoformat() for each in moments]),
        "nanoseconds": lambda: table(pa.array(moments).cast(pa.timestamp("ns", "UTC"))),
    }
    (text,), kept = warned(forms[form]())
    assert kept == 5
    assert text == (
        "timeframe '1d': all dates are at 05:00 UTC, as midnights in America/New_York are, and are "
        "kept as instants; if they are days of that zone, give the dates in it (pandas: "
        "dt.tz_convert('America/New_York')) and day=\"written\", which files each bar under its "
        "own day"
    )


def test_the_advice_for_such_days_files_each_under_its_own_day():
    frame = table(pa.array(in_utc("America/New_York"))).to_pandas()
    frame["date"] = frame["date"].dt.tz_convert("America/New_York")
    store = MemoryDataStore()
    storecore.write_bar_table(store, frame, day="written")
    assert [each.date for each in store.read_bars("AAPL", *ALWAYS)] == every(DAY, 5)


@pytest.mark.parametrize(
    ("moments", "timeframe"),
    [
        (in_utc("America/New_York"), "1h"),
        (in_utc("America/New_York"), "session"),
        (in_utc("America/New_York", 2), "1d"),
        (in_utc("UTC"), "1d"),
        (in_utc("UTC", first=JAN_5 + 21 * 60 * MINUTE), "1d"),
        (in_utc("UTC", first=JAN_5 + 12 * 60 * MINUTE), "1d"),
    ],
)
def test_other_times_that_name_no_zone_give_none(moments, timeframe):
    found = warned(table(pa.array(moments)), timeframe=timeframe)[0]
    assert [each for each in found if "midnights" in each] == []


def test_dates_without_a_time_are_no_midnights_of_a_zone():
    days = pa.array([each.date() for each in every(DAY, 5)])
    assert warned(table(days)) == ([], 5)


def test_stamps_of_two_vendors_in_separate_writes_are_noted_by_verify():
    """A write knows its own rows only; the whole series is looked at by `verify`."""
    store = MemoryDataStore()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreWarning)
        storecore.write_bar_table(store, table(every(DAY, 5)))
        storecore.write_bar_table(store, table(pa.array(in_utc("America/New_York"))))
        later = in_utc("America/New_York", first=JAN_5 + 5 * DAY)
        storecore.write_bar_table(store, table(every(DAY, 5), "LATER"))
        storecore.write_bar_table(store, table(pa.array(later), "LATER"))
    notes = {each.place: each.detail for each in store.verify().notes}
    looks = "it looks like days that are stamped in different ways, at 00:00 and 05:00 UTC"
    assert notes == {
        "AAPL (1d)": f"5 of 5 days have several bars, the first 2026-01-05 00:00:00; {looks}",
        "LATER (1d)": f"5 bars are at midnight in UTC and 5 are not; {looks}",
    }


def test_the_ten_methods_warn_of_nothing(bar):
    """`write_bars` of the plan knows no timeframe, and keeps what it is given."""
    store = MemoryDataStore()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.write_bars("AAPL", [bar(date=each) for each in every(MINUTE, 5)])
        store.write_bars("AAPL", [bar(date=each) for each in in_utc("America/New_York")])
