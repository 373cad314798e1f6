"""The facts that the demo stores: real bars, filings and splits of AAPL, IBM and MSFT.

`daily-bars.parquet` holds their daily bars from 2000-03-01 to 2013-03-01, 3,270 per symbol, as
traded (not adjusted for splits), volume in shares. It is made from the `stocks` sample of the Bokeh
project's sample data (BSD-3-Clause), which took them from public quotes. Filings are the 10-K of
fiscal 2012, their share counts rounded.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from storecore import DataStore, Event, FundamentalData

BARS = Path(__file__).with_name("daily-bars.parquet")
CREDIT = "daily bars from the Bokeh project's sample data (BSD-3-Clause), as traded"
SYMBOLS = ("AAPL", "IBM", "MSFT")
# A filing is known from the end of its day, since its hour is not in the data.
FUNDAMENTALS = tuple(
    FundamentalData(
        symbol=symbol,
        timestamp=datetime(*filed, 23, 59, 59),
        company_name=name,
        cik=cik,
        employees=employees,
        shares_outstanding=shares,
        industry=industry,
        category="Technology",
        raw_xml=f'<filing form="10-K" cik="{cik}"><employees>{employees}</employees></filing>',
    )
    for symbol, filed, name, cik, employees, shares, industry in (
        ("AAPL", (2012, 10, 31), "Apple Inc.", "0000320193", 72_800, 940_000_000, "Computers"),
        (
            "IBM",
            (2013, 2, 26),
            "International Business Machines Corp.",
            "0000051143",
            434_246,
            1_120_000_000,
            "IT services",
        ),
        ("MSFT", (2012, 7, 26), "Microsoft Corp.", "0000789019", 94_000, 8_400_000_000, "Software"),
    )
)
# The first day on which a symbol traded at the new number of shares.
SPLITS = (
    ("AAPL", datetime(2000, 6, 21)),
    ("MSFT", datetime(2003, 2, 18)),
    ("AAPL", datetime(2005, 2, 28)),
)


def write_fundamentals(store: DataStore) -> int:
    """Write the filings; a second write replaces them with equal ones."""
    for filing in FUNDAMENTALS:
        store.write_fundamental(filing.symbol, filing)
    return len(FUNDAMENTALS)


def write_splits(store: DataStore) -> int:
    """Write the splits that the store lacks, since every written event is kept."""
    present = {
        (event.symbol, event.timestamp)
        for event in store.read_events(SPLITS[0][1], SPLITS[-1][1], types=["split"])
    }
    missing = [split for split in SPLITS if split not in present]
    for symbol, day in missing:
        payload = {"new_shares": 2, "for_old": 1}
        store.write_event(Event("split", symbol, day, datetime.now(UTC), "exchange", payload))
    return len(missing)
