"""What storecore's bars are measured beside: each does the same work in its own best way."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from itertools import repeat
from pathlib import Path

import arcticdb
import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from universe import FIELDS

from storecore import PriceBar
from storecore_file import FileDataStore


class Storecore:
    """The file backend, its writes durable."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = FileDataStore(base_path=folder)

    def write(self, table: pa.Table) -> None:
        self.store.write_bar_table(table)

    def read(self, symbols, start: datetime, end: datetime) -> pa.Table:
        return self.store.read_bar_table(symbols, start, end)

    def objects(self, symbol: str, start: datetime, end: datetime) -> list[PriceBar]:
        return self.store.read_bars(symbol, start, end)

    def append(self, symbol: str, date: np.datetime64) -> None:
        self.store.write_bars(symbol, [PriceBar(symbol, date.item(), 1.0, 1.0, 1.0, 1.0, 5)])

    day = write


class Arctic:
    """ArcticDB on LMDB, a frame a symbol."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        arctic = arcticdb.Arctic(f"lmdb://{folder}?map_size=4GB")
        self.kept = arctic.get_library("bars", create_if_missing=True)

    def write(self, table: pa.Table) -> None:
        frames = _frames(table)
        self.kept.write_batch([arcticdb.WritePayload(*each) for each in frames.items()])

    def read(self, symbols, start: datetime, end: datetime):
        span = (start, end)
        if isinstance(symbols, str):
            return self.kept.read(symbols, date_range=span).data
        requests = [arcticdb.ReadRequest(symbol, date_range=span) for symbol in symbols]
        return [each.data for each in self.kept.read_batch(requests)]

    def objects(self, symbol: str, start: datetime, end: datetime) -> list[PriceBar]:
        frame = self.read(symbol, start, end)
        prices = [frame[field].tolist() for field in FIELDS[:4]]
        volumes = [int(volume) for volume in frame["volume"].tolist()]
        dates = frame.index.to_pydatetime().tolist()
        return list(map(PriceBar, repeat(symbol), dates, *prices, volumes))

    def append(self, symbol: str, date: np.datetime64) -> None:
        index = pd.DatetimeIndex([date], name="date")
        row = [[1.0, 1.0, 1.0, 1.0, 5.0]]
        self.kept.update(symbol, pd.DataFrame(row, index=index, columns=FIELDS))

    def day(self, table: pa.Table) -> None:
        frames = _frames(table)
        self.kept.update_batch([arcticdb.UpdatePayload(*each) for each in frames.items()])


class Duck:
    """DuckDB's own file, one table sorted by symbol and date."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.file = duckdb.connect(str(folder / "bars.duckdb"))

    def write(self, table: pa.Table) -> None:
        self.file.register("given", table)
        self.file.execute("CREATE TABLE bars AS SELECT * FROM given ORDER BY symbol, date")
        self.file.execute("CHECKPOINT")

    def read(self, symbols, start: datetime, end: datetime) -> pa.Table:
        listed = [symbols] if isinstance(symbols, str) else symbols
        query = (
            "SELECT * FROM bars WHERE symbol IN ? AND date BETWEEN ? AND ? ORDER BY symbol, date"
        )
        return self.file.sql(query, params=[listed, start, end]).to_arrow_table()


class OverFiles:
    """DuckDB on the files of a store, which it reads as anyone may."""

    def __init__(self, folder: Path) -> None:
        self.file = duckdb.connect()
        self.files = f"{folder}/prices/*/*.parquet"

    def read(self, symbols, start: datetime, end: datetime) -> pa.Table:
        listed = [symbols] if isinstance(symbols, str) else symbols
        query = (
            "SELECT * FROM read_parquet(?) WHERE symbol IN ? AND date BETWEEN ? AND ? "
            "ORDER BY symbol, date"
        )
        return self.file.sql(query, params=[self.files, listed, start, end]).to_arrow_table()


class Sqlite:
    """SQLite, one table keyed by symbol and date."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.file = sqlite3.connect(folder / "bars.sqlite")
        key = (
            "symbol TEXT, date INTEGER, open, high, low, close, volume, PRIMARY KEY (symbol, date)"
        )
        self.file.execute(f"CREATE TABLE bars ({key}) WITHOUT ROWID")

    def write(self, table: pa.Table) -> None:
        numbers = table.set_column(1, "date", table["date"].cast(pa.int64()))
        rows = zip(*(column.to_pylist() for column in numbers.columns), strict=True)
        with self.file:
            self.file.executemany("INSERT INTO bars VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def read(self, symbols, start: datetime, end: datetime):
        listed = [symbols] if isinstance(symbols, str) else symbols
        span = [int(np.datetime64(bound, "us").astype("i8")) for bound in (start, end)]
        query = "SELECT * FROM bars WHERE symbol = ? AND date BETWEEN ? AND ? ORDER BY date"
        return [self.file.execute(query, (symbol, *span)).fetchall() for symbol in listed]

    def columns(self, symbol: str, start: datetime, end: datetime) -> pa.Table:
        (rows,) = self.read(symbol, start, end)
        columns = zip(*rows, strict=True)
        return pa.table(dict(zip(("symbol", "date", *FIELDS), map(pa.array, columns), strict=True)))


class Bare:
    """Bare pyarrow on one Parquet file a symbol, in storecore's own encodings; nothing checked."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder

    def write(self, table: pa.Table) -> None:
        for symbol, rows in _series(table):
            pq.write_table(
                rows,
                self.folder / f"{symbol}.parquet",
                compression="lz4",
                use_dictionary=["symbol"],
                column_encoding={"date": "DELTA_BINARY_PACKED", "volume": "BYTE_STREAM_SPLIT"},
            )

    def read(self, symbols, start: datetime, end: datetime) -> pa.Table:
        columns = ["date", *FIELDS]
        return pq.ParquetFile(self.folder / f"{symbols}.parquet").read(columns, use_threads=False)


class Months:
    """The plain design: a Parquet file a month, objects built one by one."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder

    def write(self, table: pa.Table) -> None:
        for symbol, rows in _series(table):
            months = rows["date"].to_numpy().astype("M8[M]")
            (self.folder / symbol).mkdir()
            for month in np.unique(months):
                start, stop = np.searchsorted(months, [month, month + 1])
                part = self.folder / symbol / f"{month}.parquet"
                pq.write_table(rows.slice(start, stop - start), part)

    def read(self, symbols, start: datetime, end: datetime) -> pa.Table:
        listed = [symbols] if isinstance(symbols, str) else symbols
        low, high = f"{start:%Y-%m}", f"{end:%Y-%m}"
        parts = [
            part
            for symbol in listed
            for part in sorted((self.folder / symbol).iterdir())
            if low <= part.stem <= high
        ]
        return pa.concat_tables(pq.read_table(part) for part in parts)

    def objects(self, symbol: str, start: datetime, end: datetime) -> list[PriceBar]:
        return [PriceBar(**row) for row in self.read(symbol, start, end).to_pylist()]


def _series(table: pa.Table):
    symbols = table["symbol"].combine_chunks().dictionary_encode()
    ends = np.searchsorted(symbols.indices.to_numpy(), range(len(symbols.dictionary)), "right")
    start = 0
    for symbol, end in zip(symbols.dictionary.to_pylist(), ends.tolist(), strict=True):
        yield symbol, table.slice(start, end - start)
        start = end


def _frames(table: pa.Table) -> dict[str, pd.DataFrame]:
    return {
        symbol: rows.drop_columns("symbol").to_pandas().set_index("date")
        for symbol, rows in _series(table)
    }
