"""Timeframes: the length that a name gives, and the usual spelling of it."""

from __future__ import annotations

import pytest

from storecore.values.timeframes import same_length, timeframe_of, usual_spelling

DAY = 86_400_000_000


@pytest.mark.parametrize(
    ("name", "usual"),
    [
        ("1D", "1d"),
        ("daily", "1d"),
        ("day", "1d"),
        ("1Day", "1d"),
        ("1 day", "1d"),
        ("24h", "1d"),
        ("1440m", "1d"),
        ("60m", "1h"),
        ("60min", "1h"),
        ("1Hour", "1h"),
        ("5Min", "5m"),
        ("90s", None),
        ("60s", "1m"),
        ("1M", "1mo"),
        ("monthly", "1mo"),
        ("12mo", "1y"),
        ("3mo", None),
        ("1wk", "1w"),
        ("weekly", "1w"),
        ("7d", None),
        ("1m", None),
        ("1d", None),
        ("0d", None),
        ("m1", None),
        ("session", None),
        ("1x", None),
        ("1d-adjusted", None),
        ("", None),
        ("1234567d", None),
        ("١d", None),
    ],
)
def test_the_usual_spelling_of_a_length(name, usual):
    assert usual_spelling(name) == usual


@pytest.mark.parametrize(
    ("name", "days"), [("1d", 1), ("1w", 7), ("1mo", 28), ("1y", 365), ("6h", 0.25), ("36h", 1.5)]
)
def test_a_name_gives_a_length(name, days):
    length = timeframe_of(name)
    assert (length.micros, length.is_of_days) == (days * DAY, days >= 1)


@pytest.mark.parametrize("name", ["m1", "session", "0d", "", "daily1"])
def test_any_other_name_gives_none(name):
    assert timeframe_of(name) is None


def test_timeframes_of_one_length_are_found_among_known_ones():
    assert same_length("daily", ["1m", "1D", "session", "daily", "24h"]) == ["1D", "24h"]
    assert same_length("session", ["session", "1d"]) == []
