"""Daily bars of AAPL and IBM in 2005, as traded, with the adjusted closes of a vendor.

AAPL was split 2 for 1 on 28 February; IBM paid four dividends. The file is an excerpt of the
`stocks` sample of the Bokeh project's sample data (BSD-3-Clause).
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pytest

FILE = Path(__file__).parent / "daily-2005.csv"


@pytest.fixture
def daily():
    """The year as a frame of pandas."""
    return pd.read_csv(FILE, parse_dates=["date"]).astype({"date": "datetime64[us]"})


@pytest.fixture
def table(daily):
    """The year as a table of bars."""
    return pa.Table.from_pandas(daily.drop(columns="adj_close"), preserve_index=False)


class Calendar(SimpleNamespace):
    """Sessions from 14:30 to 21:00, the last one until 18:00, as exchange_calendars has them."""

    def __init__(self, days=("2026-03-09", "2026-03-10", "2026-03-11")):
        sessions = pd.DatetimeIndex(days)
        at = sessions.tz_localize("UTC")
        closes = [*(at[:-1] + pd.Timedelta(hours=21)), *(at[-1:] + pd.Timedelta(hours=18))]
        self.opens = pd.Series(at + pd.Timedelta(hours=14, minutes=30), sessions)
        self.closes = pd.Series(closes, sessions)


@pytest.fixture
def calendar():
    """Makes a calendar of some days."""
    return Calendar
