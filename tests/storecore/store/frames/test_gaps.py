"""`verify_sessions`: the sessions of a calendar without a bar."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

import storecore
from storecore import Finding, InvalidData, PriceBar, verify_sessions

DAY = datetime(2026, 3, 9)
WEEK = ("2026-03-06", "2026-03-09", "2026-03-10", "2026-03-11", "2026-03-12", "2026-03-13")


def bars(*moments, symbol="X"):
    return [PriceBar(symbol, at, 1.0, 1.0, 1.0, 1.0, 1) for at in moments]


@pytest.fixture
def store():
    with storecore.open_store("memory") as opened:
        yield opened


def test_each_session_without_a_bar_is_counted(store, calendar):
    store.write_bars("X", bars(*(DAY + timedelta(n) for n in (0, 2, 4))))
    report = verify_sessions(store, calendar(WEEK))
    assert (report.ok, report.checked) == (True, 5)
    assert report.notes == (
        Finding("gap", "X (1d)", "2 of 5 sessions without a bar, the first on 2026-03-10"),
    )


def test_a_whole_series_has_no_note_and_days_before_and_after_it_do_not_count(store, calendar):
    store.write_bars("X", bars(DAY, DAY + timedelta(1)))
    report = verify_sessions(store, calendar(WEEK))
    assert (report.checked, report.notes) == (2, ())


def test_days_without_a_session_are_reported(store, calendar):
    store.write_bars("X", bars(DAY - timedelta(1), DAY))
    (note,) = verify_sessions(store, calendar(WEEK), "X").notes
    assert note == Finding(
        "no session", "X (1d)", "1 day with a bar and without a session, the first on 2026-03-08"
    )


def test_a_bar_dated_within_its_day_is_of_that_day(store, calendar):
    store.write_bars("X", bars(DAY + timedelta(hours=5), DAY + timedelta(1, hours=5)))
    assert verify_sessions(store, calendar(WEEK)).notes == ()


def test_one_minute_within_a_session_is_enough_and_others_do_not_count(store, calendar):
    opening = DAY + timedelta(hours=14, minutes=30)
    moments = [opening, opening + timedelta(1, hours=8), opening + timedelta(2)]
    store.write_bars("X", bars(*moments), timeframe="1m")
    report = verify_sessions(store, calendar(WEEK), ["X"], timeframe="1m")
    assert report.notes == (
        Finding("gap", "X (1m)", "1 of 3 sessions without a bar, the first on 2026-03-10"),
    )


def test_all_symbols_of_the_timeframe_are_looked_at(store, calendar):
    for symbol in ("X", "Y"):
        store.write_bars(symbol, bars(DAY, DAY + timedelta(2), symbol=symbol))
    store.write_bars("Z", bars(DAY, DAY + timedelta(2), symbol="Z"), timeframe="1w")
    found = verify_sessions(store, calendar(WEEK))
    assert [each.place for each in found.notes] == ["X (1d)", "Y (1d)"]
    assert verify_sessions(store, calendar(WEEK), "NONE").checked == 0


def test_of_a_real_exchange_holidays_are_no_gaps(store):
    pytest.importorskip("exchange_calendars")
    days = [datetime(2026, 11, 24), datetime(2026, 11, 27), datetime(2026, 11, 30)]
    store.write_bars("X", bars(*days))
    (note,) = verify_sessions(store, "XNYS").notes
    assert note.detail == "1 of 4 sessions without a bar, the first on 2026-11-25"


@pytest.mark.parametrize("timeframe", ["1w", "1mo", "session"])
def test_a_timeframe_longer_than_a_day_is_refused(store, calendar, timeframe):
    with pytest.raises(InvalidData, match=rf"^timeframe='{timeframe}': expected one of a day"):
        verify_sessions(store, calendar(WEEK), timeframe=timeframe)


def test_a_store_that_cannot_list_its_symbols_is_asked_for_some(calendar):
    with pytest.raises(InvalidData, match=r"^symbols: expected some to look at"):
        verify_sessions(object(), calendar(WEEK))
