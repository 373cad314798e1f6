"""Measures the postgres backend: `python tests/benchmarks/postgres.py [SYMBOLS] [ROUNDS]`.

Each work is done beside something known on the same server, in turn, in one run; printed is the
median of theirs over the median of ours, so that more is better. Then ten times as many bars are
there, and each work is done beside itself before. The server is one of the tests' own, with all its
syncs. Needs the extra `benchmarks`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import date, datetime
from itertools import count
from pathlib import Path

import adbc_driver_postgresql.dbapi as adbc
import numpy as np
import peewee
import psycopg
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from timing import in_turn
from universe import DAY, bar_table, names, one_day, weekdays

from storecore import Action, Decision
from storecore.bars.checks import checked_series
from storecore.bars.table import SERIES
from storecore_postgres import PostgresDataStore
from storecore_postgres.wire import COPY_END, COPY_HEAD, copy_rows

DAYS = 2_520
FIELDS = ("symbol", "date", "open", "high", "low", "close", "volume")
EVER = date(1900, 1, 1), date(2100, 1, 1)
YEAR = datetime(2024, 1, 1), datetime(2024, 12, 31)
DECISION = Decision("AAPL", Action.BUY, 0.5, 0.9, "cheap against its own history")
ROWS = ", ".join(FIELDS)


class Peer:
    """What a user would write by hand, on tables of the same columns and keys."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.arrow = adbc.connect(dsn.replace("host=", "postgresql:///?host=").replace(" ", "&"))
        self.engine = sa.create_engine(
            "postgresql+psycopg://", creator=lambda: psycopg.connect(dsn)
        )
        self.connection.execute("CREATE SCHEMA peer")
        for table in ("bars", "decisions"):
            self.connection.execute(
                f"CREATE TABLE peer.{table} (LIKE storecore.{table} INCLUDING ALL)"
            )
        # Who writes by hand records no versions.
        self.connection.execute("ALTER TABLE peer.bars DROP COLUMN recorded")
        self.peewee = peewee.PostgresqlDatabase(None, prefer_psycopg3=True)
        self.peewee.init("postgres", user="postgres", host=dsn.split()[0].removeprefix("host="))
        self.model = _model(self.peewee)
        self.table = sa.Table("bars", sa.MetaData(schema="peer"), autoload_with=self.engine)

    def copy(self, blocks: list[bytes]) -> None:
        """COPY rows that are encoded already."""
        statement = f"COPY peer.bars (symbol, timeframe, {ROWS[8:]}) FROM STDIN (FORMAT binary)"
        with self.connection.cursor().copy(statement) as copy:
            for block in blocks:
                copy.write(block)

    def read(self, where: str) -> pa.Table:
        """Read columns by ADBC."""
        with self.arrow.cursor() as cursor:
            cursor.execute(f"SELECT {ROWS} FROM storecore.bars WHERE {where} ORDER BY symbol, date")
            return cursor.fetch_arrow_table()

    def row_by_row(self, rows: list[dict]) -> None:
        """An upsert a row by peewee, in one transaction, as vnpy_postgresql saves bars."""
        with self.peewee.atomic():
            for row in rows:
                key = [self.model.symbol, self.model.timeframe, self.model.date]
                self.model.insert(row).on_conflict(update=row, conflict_target=key).execute()

    def bulk(self, rows: list[dict]) -> None:
        """SQLAlchemy's upsert of many rows."""
        with self.engine.begin() as connection:
            statement = insert(self.table).values(rows)
            changed = {name: statement.excluded[name] for name in FIELDS[2:]}
            key = ["symbol", "timeframe", "date"]
            connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changed))


def _model(database: peewee.Database) -> type[peewee.Model]:
    """Return the table of bars as peewee has it."""

    class Bar(peewee.Model):
        symbol, timeframe = peewee.TextField(), peewee.TextField()
        date = peewee.DateTimeField()
        open, high, low, close, volume = (peewee.DoubleField() for _ in range(5))

        class Meta:
            schema, table_name, primary_key = "peer", "bars", False

    Bar.bind(database)
    return Bar


def main() -> None:
    """Measure, and print."""
    symbols, rounds = names(int((sys.argv[1:] or ["500"])[0])), int((sys.argv[2:] or ["9"])[0])
    sys.path.append(str(Path(__file__).parents[1]))
    from postgres_server import Server

    server = Server(fsync="on", shared_buffers="256MB", max_wal_size="4GB")
    try:
        with PostgresDataStore(server.dsn) as store:
            beside_others(store, Peer(server.dsn), symbols, rounds)
    finally:
        server.stop()


def beside_others(store: PostgresDataStore, peer: Peer, symbols: list[str], rounds: int) -> None:
    """Print each work beside a peer's, then with ten times as many bars beside itself."""
    dates = weekdays(DAYS)
    table = bar_table(symbols, dates)
    bulk_write(store, peer, table)
    peer.connection.execute("ANALYZE")
    few = works(store, peer, symbols, rounds, dates[-1])
    blocks = []
    for number in range(1, 10):
        more = bar_table([f"{symbol}-{number}" for symbol in symbols], dates)
        begin = time.perf_counter()
        store.write_bar_table(more)
        blocks.append(time.perf_counter() - begin)
    peer.connection.execute("ANALYZE")
    many = works(store, peer, symbols, rounds, dates[-1] + 40 * DAY, quiet=True)
    print(f"\n{10 * len(table):,} bars, beside itself with {len(table):,}; less is better")
    print(f"{f'bulk write of {len(table):,} bars more':46} {blocks[-1] / blocks[0]:6.2f}")
    for work, before in few.items():
        print(f"{work:46} {many[work] / before:6.2f}")


def bulk_write(store: PostgresDataStore, peer: Peer, table: pa.Table) -> None:
    """Write all bars into an empty table."""
    series = checked_series(table)
    rows = [copy_rows((symbol, "1d"), *(one[n] for n in SERIES.names)) for symbol, one in series]
    blocks = [COPY_HEAD, *rows, COPY_END]

    def theirs() -> None:
        peer.connection.execute("TRUNCATE peer.bars")
        peer.copy(blocks)

    def ours() -> None:
        peer.connection.execute("TRUNCATE storecore.bars")
        store.write_bar_table(table)

    show(f"bulk write of {len(table):,} bars", "binary COPY, encoded before", 0.7, theirs, ours, 3)


def works(
    store: PostgresDataStore,
    peer: Peer,
    symbols: list[str],
    rounds: int,
    last: np.datetime64,
    quiet: bool = False,
) -> dict[str, float]:
    """Do each work beside a peer's; return the seconds of ours."""
    found = {}

    def pair(work: str, against: str, asked: float, theirs: Callable, ours: Callable) -> None:
        found[work] = show(work, against, asked, theirs, ours, rounds, quiet)

    middle, some = symbols[len(symbols) // 2], symbols[:: max(1, len(symbols) // 100)]
    one = f"symbol = '{middle}' AND timeframe = '1d'"
    pair(
        "read one symbol, 10 years, columns",
        "ADBC",
        0.8,
        lambda: peer.read(one),
        lambda: store.read_bar_table(middle, *EVER),
    )
    listed = ", ".join(f"'{each}'" for each in some)
    within = f"date BETWEEN '{YEAR[0]}Z' AND '{YEAR[1]}Z'"
    panel = f"symbol = ANY(ARRAY[{listed}]) AND timeframe = '1d' AND {within}"
    pair(
        f"read {len(some)} symbols, 1 year, columns",
        "ADBC",
        0.8,
        lambda: peer.read(panel),
        lambda: store.read_bar_table(some, *YEAR),
    )
    one_day_for_all(store, peer, symbols, last, pair)
    log_both(store, peer, pair)
    return found


def log_both(store, peer, pair) -> None:
    """Log a decision, durable, as one client."""
    store.log_decision("value", DECISION)
    line = next(store.iter_audit("decisions")).line.decode()
    numbers = count(
        peer.connection.execute("SELECT coalesce(max(seq), 0) + 1 FROM peer.decisions").fetchone()[
            0
        ]
    )
    statement = "INSERT INTO peer.decisions VALUES (%s, '2026-01-05', 'value', now(), %s)"

    def log() -> None:
        for _ in range(50):
            with peer.connection.transaction():
                peer.connection.execute(statement, [next(numbers), line])

    def log_ours() -> None:
        for _ in range(50):
            store.log_decision("value", DECISION)

    pair("log_decision, durable, 50 times", "INSERT and COMMIT", 0.7, log, log_ours)


def one_day_for_all(store, peer, symbols, last, pair) -> None:
    """Write one new day for all symbols, each time another."""
    days = iter([one_day(symbols, last + DAY * n) for n in range(1, 100)])
    for against, write in (
        ("peewee, an upsert a row", peer.row_by_row),
        ("SQLAlchemy, a bulk upsert", peer.bulk),
    ):
        tables = (one_day(symbols, last + DAY * n) for n in range(1, 40))
        given = iter([[{**row, "timeframe": "1d"} for row in each.to_pylist()] for each in tables])
        pair(
            f"one day for {len(symbols)} symbols, {against.split()[0]}",
            against,
            10,
            lambda write=write, given=given: write(next(given)),
            lambda: store.write_bar_table(next(days)),
        )


def show(work, against, asked, theirs, ours, rounds, quiet=False) -> float:
    """Do both in turn, print their ratio, and return the seconds of ours."""
    peer, own = in_turn(rounds, theirs, ours)
    if not quiet:
        print(f"{work:46} {against:28} {peer / own:6.2f}  (asked {asked}; {own * 1e3:.2f} ms)")
    return own


if __name__ == "__main__":
    main()
