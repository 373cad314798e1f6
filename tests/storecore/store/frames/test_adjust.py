"""`adjust`: prices and volumes over splits and dividends, equal to those of a vendor."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import storecore
from storecore import Event, InvalidData, StoreWarning, adjust, resample

DAY = datetime(2026, 1, 5)
SPLIT = ("split", "AAPL", "2005-02-28", {"ratio": 2})
DIVIDENDS = [
    ("dividend", "IBM", "2005-02-08", {"amount": 0.18}),
    ("dividend", "IBM", "2005-05-06", {"amount": 0.20}),
    ("dividend", "IBM", "2005-08-08", {"amount": 0.20}),
    ("dividend", "IBM", "2005-11-08", {"amount": 0.20}),
]


def happened(kind, symbol, day, payload):
    at = datetime.fromisoformat(day) if isinstance(day, str) else day
    return Event(kind, symbol, at, at - timedelta(30), "feed", payload)


def events(*given):
    return [happened(*each) for each in given]


def bars(closes, symbol="X", **columns):
    """A bar a day, whose prices are all its close."""
    count = len(closes)
    prices = {name: [float(each) for each in closes] for name in ("open", "high", "low", "close")}
    days = pa.array([DAY + timedelta(n) for n in range(count)], pa.timestamp("us"))
    plain = {"symbol": [symbol] * count, "date": days, **prices, "volume": [10.0] * count}
    return pa.table({**plain, **columns})


def on(number, kind, **payload):
    return happened(kind, "X", DAY + timedelta(number), payload)


def columns_of(table, *names):
    return [table[name].to_pylist() for name in names]


# Beside a vendor and pandas.


def test_closes_over_a_split_and_dividends_are_those_of_a_vendor(daily, table):
    """Up to one factor a symbol: the vendor's are adjusted for later years too."""
    found = adjust(table, events(SPLIT, *DIVIDENDS)).to_pandas()
    for symbol, tolerance in (("AAPL", 1e-8), ("IBM", 1e-5)):
        ours = found[found["symbol"] == symbol]["close"].to_numpy()
        ratio = ours / daily[daily["symbol"] == symbol]["adj_close"].to_numpy()
        assert ratio.max() / ratio.min() - 1 < tolerance


def test_prices_are_those_that_pandas_makes_step_by_step(daily, table):
    frame = daily.drop(columns="adj_close").set_index(["symbol", "date"]).astype("float64")
    frame["factor"] = frame["volume_factor"] = 1.0
    for kind, symbol, day, payload in (SPLIT, *DIVIDENDS):
        before = (frame.index.get_level_values("symbol") == symbol) & (
            frame.index.get_level_values("date") < day
        )
        if kind == "split":
            frame.loc[before, "factor"] /= payload["ratio"]
            frame.loc[before, "volume_factor"] *= payload["ratio"]
        else:
            close = frame.loc[before, "close"].iloc[-1]
            frame.loc[before, "factor"] *= 1 - payload["amount"] / close
    for name in ("open", "high", "low", "close"):
        frame[name] *= frame["factor"]
    frame["volume"] *= frame["volume_factor"]
    found = adjust(table, events(SPLIT, *DIVIDENDS)).to_pandas()
    pd.testing.assert_frame_equal(found, frame.reset_index(), rtol=1e-12)


def test_returns_over_a_split_are_those_of_a_holder(table):
    apple = table.filter(pa.compute.equal(table["symbol"], "AAPL"))
    closes = adjust(apple, events(SPLIT))["close"].to_pylist()
    assert max(abs(b / a - 1) for a, b in pairwise(closes)) < 0.12
    raw = apple["close"].to_pylist()
    assert min(b / a - 1 for a, b in pairwise(raw)) < -0.4


def test_what_a_store_reads_is_adjusted_by_the_events_that_it_reads(table):
    with storecore.open_store("memory") as store:
        storecore.write_bar_table(store, table)
        store.write_events(events(SPLIT, *DIVIDENDS, ("news", "AAPL", "2005-03-01", {})))
        read = storecore.read_bar_table(store, ["AAPL", "IBM"])
        found = adjust(read, store.read_events(types=["split", "dividend"]))
        assert found.to_pylist() == adjust(table, events(SPLIT, *DIVIDENDS)).to_pylist()
        assert found.schema.metadata == read.schema.metadata


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_a_frame_of_another_library_is_a_table_too(table, library):
    frame = table.to_pandas() if library is pd.DataFrame else pl.DataFrame(table)
    assert adjust(frame, events(SPLIT)).to_pylist() == adjust(table, events(SPLIT)).to_pylist()


# The rules.


def test_factors_of_later_events_are_multiplied():
    given = [on(1, "split", ratio=2), on(2, "dividend", amount=2.0), on(3, "split", ratio="1:10")]
    found = adjust(bars([100, 50, 8, 80]), given)
    factor, volumes = columns_of(found, "factor", "volume_factor")
    assert factor == pytest.approx([0.5 * 0.96 * 10, 0.96 * 10, 10, 1])
    assert volumes == pytest.approx([0.2, 0.1, 0.1, 1])
    closes, volume = columns_of(found, "close", "volume")
    assert closes == pytest.approx([480, 480, 80, 80])
    assert volume == pytest.approx([2, 1, 1, 10])


def test_the_day_of_an_event_is_the_first_without_it_whatever_its_hour():
    late = happened("split", "X", DAY + timedelta(1, hours=20), {"ratio": 2})
    aware = happened("split", "X", (DAY + timedelta(1)).replace(tzinfo=UTC), {"ratio": 2})
    for event in (late, aware):
        assert adjust(bars([4, 2]), [event])["close"].to_pylist() == [2, 2]


def test_events_before_the_first_bar_and_after_the_last_do_not_count():
    given = [on(0, "split", ratio=2), on(2, "split", ratio=3), on(-5, "dividend", amount=1.0)]
    found = adjust(bars([4, 4]), given)
    assert columns_of(found, "close", "factor") == [[4, 4], [1, 1]]


def test_an_event_that_is_there_twice_counts_once_and_dividends_of_a_day_are_added():
    again = [on(1, "split", ratio=2), on(1, "split", ratio="2:1")]
    assert adjust(bars([4, 2]), again)["close"].to_pylist() == [2, 2]
    paid = [on(1, "dividend", amount=1.0), on(1, "dividend", amount=0.5)] * 2
    assert adjust(bars([10, 9]), paid)["close"].to_pylist() == pytest.approx([8.5, 9])


def test_a_dividend_on_the_day_of_a_split_is_for_a_new_share():
    given = [on(1, "dividend", amount=1.0), on(1, "split", ratio=2)]
    assert adjust(bars([100, 49]), given)["close"].to_pylist() == pytest.approx([49, 49])


def test_events_of_days_without_bars_come_before_the_next_bar():
    table = bars([100, 0, 0, 24]).take([0, 3])
    given = [on(1, "split", ratio=2), on(2, "dividend", amount=2.0)]
    assert adjust(table, given)["close"].to_pylist() == pytest.approx([48, 24])


@pytest.mark.parametrize("ratio", [1.5, "3:2", " 3 / 2 ", "3 for 2", "1.5:1"])
def test_a_ratio_is_a_number_or_a_text(ratio):
    found = adjust(bars([3, 2]), [on(1, "split", ratio=ratio)])
    assert found["volume_factor"].to_pylist() == [1.5, 1]


def test_types_of_events_may_have_other_names():
    given = [on(1, "SPLIT", ratio=2), on(1, "split", ratio=9)]
    assert adjust(bars([4, 2]), given, split="SPLIT")["close"].to_pylist() == [2, 2]


def test_what_has_no_event_stays_as_it_is():
    table = bars([4, 2], volume=pa.array([2**60 + 1, None], pa.int64()), note=["a", "b"])
    other = [
        happened("split", "Y", DAY + timedelta(1), {"ratio": 2}),
        Event("split", None, DAY, DAY, "", {}),
    ]
    found = adjust(table, other)
    assert found.column_names == [*table.column_names, "factor", "volume_factor"]
    assert found.select(table.column_names) == table
    assert adjust(table.slice(0, 0), other).num_rows == 0
    assert adjust(table.select(["symbol", "date", "close"]), []).num_columns == 5


def test_volumes_that_were_not_reported_stay_so():
    table = bars([4, 2], volume=pa.array([None, 3], pa.int64()))
    assert adjust(table, [on(1, "split", ratio=2)])["volume"].to_pylist() == [None, 3]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([on(1, "split", ratio=0)], r"^events\[0\]\.payload\.ratio=0: expected the new shares"),
        ([on(1, "split", ratio="2:0")], r"ratio='2:0': expected"),
        ([on(1, "split", ratio="two")], r"ratio='two': expected"),
        ([on(1, "split")], r"ratio=None: expected"),
        ([on(1, "split", ratio=True)], r"ratio=True: expected"),
        (
            [on(1, "dividend", amount=-1)],
            r"^events\[0\]\.payload\.amount=-1: expected the dividend",
        ),
        ([on(1, "dividend", amount="1")], r"amount='1': expected"),
        (
            [on(1, "split", ratio=2), on(1, "split", ratio=3)],
            r"^events\[1\]: another split of X on 2026-01-06, of 3, beside events\[0\]",
        ),
        (
            [on(1, "dividend", amount=4)],
            r"^events\[0\]: a dividend of 4 leaves nothing of the close",
        ),
        ([on(2, "dividend", amount=1)], r"leaves nothing of the close before it, 0; check"),
        ([{"type": "split"}], r"^events\[0\]: expected an Event, got dict"),
        (on(1, "split", ratio=2), r"^events: expected an iterable of Event, got one Event"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_row(given, message):
    with pytest.raises(InvalidData, match=message):
        adjust(bars([4, 0, 2]), given)


def test_bars_that_are_adjusted_already_are_refused():
    once = adjust(bars([4, 2]), [])
    with pytest.raises(InvalidData, match=r"^table\.factor: these bars are adjusted already"):
        adjust(once, [])
    none = bars([4]).drop(["close"]).append_column("close", pa.array([None], pa.float64()))
    with pytest.raises(InvalidData, match=r"^table\.close: a value is missing"):
        adjust(none, [])
    with pytest.raises(InvalidData, match="no column close"):
        adjust(bars([4]).drop(["close"]), [])


# Days of a time zone, objects, and tables without rows.


def in_zone(zone, closes):
    """A bar at each midnight of a zone, as an instant in UTC."""
    days = pd.DatetimeIndex([DAY + timedelta(n) for n in range(len(closes))]).tz_localize(zone)
    made = bars(closes)
    return made.set_column(1, "date", pa.array(days.tz_convert("UTC"), pa.timestamp("us", "UTC")))


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo", "Australia/Sydney", "UTC"])
@pytest.mark.parametrize("stamp", ["the day", "its midnight there", "its evening there"])
def test_bars_at_the_midnights_of_a_zone_have_the_days_of_that_zone(zone, stamp):
    """A split on the third day, however its event is stamped, comes before the third bar."""
    midnight = (DAY + timedelta(2)).replace(tzinfo=ZoneInfo(zone))
    stamps = {
        "the day": DAY + timedelta(2),
        "its midnight there": midnight.astimezone(UTC),
        "its evening there": (midnight + timedelta(hours=18.5)).astimezone(UTC),
    }
    event = happened("split", "X", stamps[stamp], {"ratio": 2})
    found = adjust(in_zone(zone, [4, 4, 2, 2]), [event], zone=zone)
    assert found["close"].to_pylist() == [2, 2, 2, 2]
    assert found["date"] == in_zone(zone, [4, 4, 2, 2])["date"]


def test_without_a_zone_the_days_are_those_of_utc():
    """Midnights in New York are on their day in UTC, midnights in Tokyo on the day before."""
    event = on(2, "split", ratio=2)
    assert (
        adjust(in_zone("America/New_York", [4, 4, 2, 2]), [event])["close"].to_pylist() == [2] * 4
    )
    assert adjust(in_zone("Asia/Tokyo", [4, 4, 2, 2]), [event])["close"].to_pylist() == [2, 2, 1, 2]


def test_bars_within_the_day_have_the_days_of_the_zone():
    """The last bar of a day in New York is on the next day in UTC."""
    hours = pd.DatetimeIndex(["2026-01-05 16:00", "2026-01-05 19:30", "2026-01-06 09:30"])
    moments = hours.tz_localize("America/New_York").tz_convert("UTC")
    given = bars([4, 4, 2]).set_column(1, "date", pa.array(moments, pa.timestamp("us", "UTC")))
    event = on(1, "split", ratio=2)
    assert adjust(given, [event], zone="America/New_York")["close"].to_pylist() == [2, 2, 2]
    assert adjust(given, [event])["close"].to_pylist() == [2, 4, 2]


def test_bars_of_whole_days_have_the_day_that_is_written_in_any_zone():
    for zone in ("America/New_York", "Asia/Tokyo"):
        found = adjust(bars([4, 2]), [on(1, "split", ratio=2)], zone=zone)
        assert found["close"].to_pylist() == [2, 2]


def test_a_zone_that_nobody_knows_is_refused():
    with pytest.raises(InvalidData, match=r"^zone='No/Where': not a time zone"):
        adjust(bars([4, 2]), [], zone="No/Where")


@pytest.mark.parametrize(
    "use", [lambda frame: adjust(frame, []), lambda frame: resample(frame, "1w")]
)
def test_t1_objects_of_pandas_are_read_as_a_store_reads_them(use):
    """Arrow cuts a finer time among objects to microseconds."""
    frame = bars([4, 2]).to_pandas()
    finer = [pd.Timestamp(DAY), pd.Timestamp("2026-01-06 00:00:00.000000001")]
    with pytest.raises(InvalidData, match=r"^table.date: finer than a microsecond"):
        use(frame.assign(date=pd.Series(finer, dtype=object)))
    with pytest.raises(InvalidData, match=r"^table.close: cannot read object as values of one"):
        use(frame.assign(close=pd.Series([1.0, "x"], dtype=object)))
    days = [each.to_pydatetime().date() for each in frame["date"]]
    exact = [Decimal("4"), Decimal("2")]
    volumes = pd.Series([Decimal(2**53 + 1), Decimal(1)], dtype=object)
    made = use(frame.assign(date=pd.Series(days, dtype=object), close=exact, volume=volumes))
    assert made["close"].to_pylist()[-1] == 2.0
    assert made["date"].to_pylist()[0] == DAY
    assert sum(made["volume"].to_pylist()) == 2**53 + 2


def test_a_decimal_that_no_number_equals_is_refused():
    volumes = pd.Series([Decimal(2**53 + 1), Decimal("0.5")], dtype=object)
    with pytest.raises(InvalidData, match=r"^table\[0\].volume=9007199254740993.0: no 64"):
        adjust(bars([4, 2]).to_pandas().assign(volume=volumes), [])


def test_an_index_of_dates_is_a_column_and_other_indexes_are_left_out():
    frame = bars([4, 2]).to_pandas().set_index("date")
    assert adjust(frame, [])["date"].to_pylist() == [DAY, DAY + timedelta(1)]
    frame = bars([4, 2]).to_pandas()
    frame.index = [7, 8]
    assert adjust(frame, []).column_names[-2:] == ["factor", "volume_factor"]
    assert len(adjust(frame, []).column_names) == len(frame.columns) + 2


@pytest.mark.parametrize(
    "use", [lambda given: adjust(given, []), lambda given: resample(given, "1w")]
)
def test_a_table_that_a_store_has_answered_without_rows_gives_a_warning(use):
    with storecore.open_store("memory") as store:
        storecore.write_bar_table(store, bars([4, 2]))
        with pytest.warns(
            StoreWarning, match=r"^table: it has no bars: .*store\.nearest\(symbol\)"
        ):
            assert len(use(store.read_bar_table("Y"))) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(use(bars([4]).slice(1))) == 0  # of the user's own


@pytest.mark.parametrize("value", [10**400, 5e-324, float("inf")])
def test_a_ratio_that_no_float_can_be_multiplied_by_is_refused(value):
    with pytest.raises(InvalidData, match=r"events\[0\].payload.ratio="):
        adjust(bars([10, 5]), [on(1, "split", ratio=value)])


def test_an_amount_beyond_all_floats_is_refused():
    with pytest.raises(InvalidData, match=r"events\[0\].payload.amount="):
        adjust(bars([10, 5]), [on(1, "dividend", amount=10**400)])


def test_factors_that_leave_the_floats_are_refused():
    splits = [on(1, "split", ratio=1e200), on(2, "split", ratio=1e200)]
    with pytest.raises(InvalidData, match=r"events\[0\]: with all later events its factor is 0"):
        adjust(bars([10, 5, 4]), splits)


def test_a_dividend_of_nothing_changes_nothing_even_after_a_close_of_zero():
    found = adjust(bars([0, 5]), [on(1, "dividend", amount=0)])
    assert columns_of(found, "close", "factor") == [[0.0, 5.0], [1.0, 1.0]]


@pytest.mark.parametrize("name", ["open", "close", "volume"])
def test_numbers_that_are_texts_are_refused(name):
    table = bars([10]).drop_columns(name).append_column(name, pa.array(["10"]))
    with pytest.raises(InvalidData, match=rf"table\.{name}: expected numbers, got string"):
        adjust(table, [])
