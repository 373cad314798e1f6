"""What the store writes, others read without it: DuckDB, Polars, pandas, and any JSON reader."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import duckdb
import pandas as pd
import polars as pl
import pytest

MONTHS = [datetime(2025, 12, 31, 23, 59, 59, 999_999), datetime(2026, 1, 5), datetime(2026, 2, 1)]
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def daily(store, base, bar):
    """Rows of two symbols over three months, one with whole and one with fractional volumes."""
    volumes = {"AAPL": [1_000, 2**40, 0], "BTC": [0.1, 2.5, 1e-9]}
    bars = [
        bar(month, symbol=symbol, close=100 / 3, volume=volume)
        for symbol in volumes
        for month, volume in zip(MONTHS, volumes[symbol], strict=True)
    ]
    for each in bars:
        store.write_bars(each.symbol, [each])
    store.write_bars("AAPL", [bar()], timeframe="1m")
    return [
        (
            each.symbol,
            (each.date - datetime(1970, 1, 1)) // MICROSECOND,
            *(each.open, each.high, each.low, each.close, float(each.volume)),
        )
        for each in bars
    ]


@pytest.fixture
def days(store, event):
    """Events of a day, one of them of the system."""
    payloads = [{"ratio": "4:1"}, {"text": 'quote " and ü', "scores": [0.1, None]}]
    symbols = ["AAPL", None]
    events = [
        event(MONTHS[1] + timedelta(hours=hour), symbol=symbol, payload=payload)
        for hour, (symbol, payload) in enumerate(zip(symbols, payloads, strict=True))
    ]
    for each in events:
        store.write_event(each)
    return [(each.type, each.symbol, each.timestamp, each.payload) for each in events]


def test_duckdb_reads_all_symbols_in_one_query(daily, base):
    query = f"""
        SELECT symbol, epoch_us(date), open, high, low, close, volume
        FROM '{base}/prices/*/*.parquet' ORDER BY symbol, date
    """
    assert duckdb.sql(query).fetchall() == daily


def test_polars_reads_all_symbols_in_one_scan(daily, base):
    frame = pl.scan_parquet(f"{base}/prices/*/*.parquet").sort("symbol", "date").collect()
    assert frame.schema["date"] == pl.Datetime("us", "UTC")
    assert frame.with_columns(pl.col("date").dt.epoch("us")).rows() == daily


def partition_of(base, symbol):
    """The part in which December and January have been merged."""
    return base / "prices" / symbol / "2025-12--2026-01.parquet"


def test_pandas_reads_a_month(daily, base):
    frame = pd.read_parquet(partition_of(base, "BTC"))
    frame = frame[frame["date"].dt.month == 1]
    assert frame["date"].tolist() == [pd.Timestamp(MONTHS[1], tz="UTC")]
    assert [*frame.drop(columns="date").iloc[0]] == ["BTC", 99.0, 101.0, 98.0, 100 / 3, 2.5]


def test_pandas_reads_a_series(daily, base):
    parts = sorted((base / "prices" / "AAPL").glob("*.parquet"))
    frame = pd.concat(map(pd.read_parquet, parts), ignore_index=True)
    assert frame["volume"].tolist() == [1_000.0, 2.0**40, 0.0]


def test_another_timeframe_is_a_folder_of_its_own_to_a_glob(daily, base):
    query = f"SELECT count(*) FROM '{base}/prices/*/1m/*.parquet'"
    assert duckdb.sql(query).fetchall() == [(1,)]


def test_what_a_killed_writer_left_is_in_no_glob(daily, base):
    (base / "prices" / "AAPL" / ".2026-01.parquet.0.tmp").write_bytes(b"half")
    query = f"SELECT count(*) FROM '{base}/prices/*/*.parquet'"
    assert duckdb.sql(query).fetchall() == [(6,)]


@pytest.fixture
def wide(store, base, bar):
    """Three partitions of a series: of the seven columns, of one more, and of another kind of it.

    Another symbol has a column of its own, and a volume that was not reported.
    """
    moments = [datetime(2026, month, 2) for month in (1, 3, 5)]
    for number, moment in enumerate(moments):
        extra = [None, {"trades": 3}, {"trades": 2.5, "vwap": 1.5}][number]
        store.write_bars("AAPL", [bar(moment, extra=extra)])
    for symbol in ("BTC", "AAA"):  # the first of all files has a column that the next lacks
        bars = [bar(moments[0], symbol=symbol, volume=None, extra={"venue": "X"})]
        store.write_bars(symbol, bars)
    partitions = sorted((base / "prices" / "AAPL").glob("*.parquet"))
    assert len(partitions) > 1
    return [
        ("AAA", None, None, "X"),
        ("AAPL", None, None, None),
        ("AAPL", 3.0, None, None),
        ("AAPL", 2.5, 1.5, None),
        ("BTC", None, None, "X"),
    ]


def test_duckdb_reads_further_columns_by_name(wide, base):
    query = f"""
        SELECT symbol, trades, vwap, venue
        FROM read_parquet('{base}/prices/*/*.parquet', union_by_name = true) ORDER BY symbol, date
    """
    assert duckdb.sql(query).fetchall() == wide


def test_duckdb_reads_the_seven_columns_of_files_with_and_without_others(wide, base):
    query = f"SELECT symbol, close, volume FROM '{base}/prices/*/*.parquet' ORDER BY symbol, date"
    rows = duckdb.sql(query).fetchall()
    assert [(symbol, volume is None) for symbol, _, volume in rows] == [
        ("AAA", True),
        *[("AAPL", False)] * 3,
        ("BTC", True),
    ]


def test_polars_reads_further_columns_by_name(wide, base):
    frames = [pl.read_parquet(path) for path in sorted(base.glob("prices/*/*.parquet"))]
    frame = pl.concat(frames, how="diagonal_relaxed").sort("symbol", "date")
    assert frame.select("symbol", "trades", "vwap", "venue").rows() == wide


def test_polars_scans_some_columns_of_files_with_others(wide, base):
    scan = pl.scan_parquet(
        f"{base}/prices/*/*.parquet", extra_columns="ignore", missing_columns="insert"
    )
    assert scan.select("symbol", "close").sort("symbol").collect().height == 5


def test_pandas_reads_further_columns_by_name(wide, base):
    paths = sorted(base.glob("prices/*/*.parquet"))
    frame = pd.concat(map(pd.read_parquet, paths), ignore_index=True).sort_values(
        ["symbol", "date"]
    )
    rows = frame[["symbol", "trades", "vwap", "venue"]].astype(object)
    assert [*rows.where(rows.notna(), None).itertuples(index=False, name=None)] == wide


def test_duckdb_reads_the_lines_of_a_day(days, base):
    query = f"""
        SELECT type, symbol, CAST(timestamp AS TIMESTAMP), CAST(payload AS VARCHAR)
        FROM read_json('{base}/events/*.jsonl', columns = {{
            type: 'VARCHAR', symbol: 'VARCHAR', timestamp: 'TIMESTAMP', payload: 'JSON'
        }}) ORDER BY timestamp
    """
    rows = duckdb.sql(query).fetchall()
    assert [(*row[:3], json.loads(row[3])) for row in rows] == days


def test_duckdb_reads_a_sealed_day(days, store, base):
    store.compact()
    query = f"""
        SELECT type, symbol, make_timestamp(epoch_us(timestamp)), payload
        FROM '{base}/events/*.parquet' ORDER BY timestamp
    """
    rows = duckdb.sql(query).fetchall()
    assert [(*row[:3], json.loads(row[3])) for row in rows] == days


def test_polars_reads_a_sealed_day(days, store, base):
    store.compact()
    frame = pl.read_parquet(f"{base}/events/*.parquet")
    rows = frame.select("type", "symbol", "timestamp", "payload").rows()
    assert [(*row[:2], row[2].replace(tzinfo=None), json.loads(row[3])) for row in rows] == days


def test_a_json_reader_reads_the_audit_log_a_line_a_record(store, base, decision):
    for weight in (0.25, 0.5):
        store.log_decision("value", decision(target_weight=weight))
    (path,) = (base / "audit" / "decisions").glob("*.jsonl")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert [record["decision"]["target_weight"] for record in records] == [0.25, 0.5]
    stamps = [datetime.fromisoformat(record["timestamp"]) for record in records]
    assert {stamp.tzinfo for stamp in stamps} == {UTC}


def test_a_state_and_a_fundamental_are_documents(store, base, fundamental):
    store.save_strategy_state("value", {"cash": 1.5})
    store.write_fundamental("AAPL", fundamental())
    assert json.loads((base / "state" / "value.json").read_text())["state"] == {"cash": 1.5}
    (path,) = (base / "fundamentals" / "AAPL").iterdir()
    assert json.loads(path.read_text())["company_name"] == "Apple"


def test_a_file_that_duckdb_rewrote_is_not_taken_for_the_one_that_was_written(daily, store, base):
    path = partition_of(base, "AAPL")
    duckdb.sql(f"COPY (SELECT * FROM '{path}') TO '{path}.new' (FORMAT parquet)")
    path.with_name(f"{path.name}.new").replace(path)
    with pytest.raises(OSError, match=r"2025-12--2026-01\.parquet: not a whole file of bars"):
        store.read_bars("AAPL", date.min, date.max)
