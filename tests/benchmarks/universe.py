"""The bars that the benchmarks write: real prices for as many symbols and days as are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import storecore.cli

FIELDS = ("open", "high", "low", "close", "volume")
DAY = np.timedelta64(1, "D")
_REAL = Path(storecore.cli.__file__).with_name("daily-bars.parquet")


def names(count: int) -> list[str]:
    """Return so many symbols, sorted."""
    return [f"S{number:05}" for number in range(count)]


def weekdays(count: int) -> np.ndarray:
    """Return so many weekdays, as midnights in microseconds, the last of them in 2025."""
    last = np.datetime64("2025-12-31", "D")
    return np.busday_offset(last, np.arange(1 - count, 1), roll="backward").astype("M8[us]")


def minutes(count: int) -> np.ndarray:
    """Return so many minutes, one after another, to the end of 2025."""
    last = np.datetime64("2025-12-31T23:59", "m")
    return (last - np.arange(count)[::-1]).astype("M8[us]")


def real_columns(symbol: int, days: int) -> dict[str, np.ndarray]:
    """Return real prices (two decimals) and volumes: AAPL, IBM and MSFT, from a day on.

    Symbols differ in the day that they begin with; none repeats itself within 9,810 days.
    """
    rows = (np.arange(days) + symbol * 19) % len(_bars())
    return {field: _bars()[field].to_numpy()[rows].astype("f8") for field in FIELDS}


def random_columns(symbol: int, days: int) -> dict[str, np.ndarray]:
    """Return prices that no compression can make smaller, and volumes."""
    random = np.random.default_rng(symbol)
    columns = {field: random.uniform(1, 100, days) for field in FIELDS}
    return {**columns, "volume": random.integers(1, 10**7, days).astype("f8")}


def bar_table(symbols: list[str], dates: np.ndarray, columns=real_columns) -> pa.Table:
    """Return the bars of symbols, each of all dates, as one table."""
    series = [columns(number, len(dates)) for number in range(len(symbols))]
    fields = {name: np.concatenate([each[name] for each in series]) for name in FIELDS}
    return pa.table(
        {
            "symbol": pa.concat_arrays(pa.repeat(symbol, len(dates)) for symbol in symbols),
            "date": np.tile(dates, len(symbols)),
            **fields,
        }
    )


def one_day(symbols: list[str], date: np.datetime64) -> pa.Table:
    """Return a bar of one date for each symbol."""
    return bar_table(symbols, np.array([date], "M8[us]"))


def _bars(cache: list[pa.Table] = []) -> pa.Table:  # noqa: B006 - read once
    if not cache:
        cache.append(pq.read_table(_REAL))
    return cache[0]
