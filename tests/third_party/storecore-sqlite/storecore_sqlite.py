"""A storecore backend in SQLite: one table, every law but D5, for SQLite keeps no checksums."""

import sqlite3
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from msgspec import Struct, json

from storecore import BackendSpec, StorageError, hookimpl, laws

MAKE = "CREATE TABLE IF NOT EXISTS kept (kind, key, at, value, PRIMARY KEY (kind, key, at))"
ROWS = "SELECT at, value FROM kept WHERE kind=? AND key=? AND at BETWEEN ? AND ? ORDER BY at"


class SqliteConfig(Struct):
    path: Path
    timeout: float = 30.0


class SqliteStore(laws.Closing):
    def __init__(self, config):
        self._lock, self._path = RLock(), config.path
        options = {"timeout": config.timeout, "isolation_level": None, "check_same_thread": False}
        self._file = sqlite3.connect(config.path, **options)
        with self._transaction() as execute:
            execute(MAKE)

    def close(self):
        super().close()
        with self._lock:
            self._file.close()

    @contextmanager
    def _transaction(self, begin="BEGIN IMMEDIATE"):
        with self._lock:
            self._check_open()
            try:
                self._file.execute(begin)
                with self._file:
                    yield self._file.execute
            except sqlite3.Error as error:
                raise StorageError(f"{self._path}: {error}", self._path) from error

    def _read(self, kind, key, first=laws.EARLIEST, last=laws.LATEST, tail=""):
        with self._transaction("BEGIN") as execute:
            return execute(ROWS + tail, (kind, key, first, last)).fetchall()

    def _put(self, *rows):
        with self._transaction() as execute:
            for row in rows:
                execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", row)

    def _append(self, kind, value_after):
        with self._transaction() as execute:
            span = (kind, "", laws.EARLIEST, laws.LATEST)
            at, last = execute(f"{ROWS} DESC LIMIT 1", span).fetchone() or (0, None)
            execute("INSERT INTO kept VALUES (?, '', ?, ?)", (kind, at + 1, value_after(last)))

    def _name(self, name, what):
        self._check_open()
        return laws.check_name(name, what)

    def _series(self, symbol, timeframe):
        return f"{self._name(symbol, 'symbol')}\0{self._name(timeframe, 'timeframe')}"

    def write_bars(self, symbol, bars, *, timeframe="1d"):
        key = self._series(symbol, timeframe)
        rows = zip(*laws.bar_columns(symbol, bars), strict=True)
        self._put(*(("bar", key, at, json.encode(values)) for at, *values in rows))

    def read_bars(self, symbol, start, end, *, timeframe="1d"):
        key, span = self._series(symbol, timeframe), laws.time_range(start, end)
        kept = self._read("bar", key, span.first, span.last)
        columns = zip(*((at, *json.decode(values)) for at, values in kept), strict=True)
        return laws.price_bars(symbol, laws.BarColumns(*columns), span.aware) if kept else []

    def write_fundamental(self, symbol, data):
        data = laws.checked_fundamental(self._name(symbol, "symbol"), data)
        at = laws.exact_instant(data.timestamp, "timestamp")
        self._put(("fundamental", symbol, at, laws.encode_fundamental(data)))

    def read_fundamental(self, symbol, as_of=None):
        key = self._name(symbol, "symbol")
        last = laws.LATEST if as_of is None else laws.exact_instant(as_of, "as_of")
        rows = self._read("fundamental", key, last=last, tail=" DESC LIMIT 1")
        return laws.decode_fundamental(rows[0][1]) if rows else None

    def write_event(self, event):
        self._check_open()
        encoded = laws.encode_event(laws.checked_event(event))
        self._append("event", lambda last: encoded)

    def read_events(self, start, end, types=None):
        self._check_open()
        span, wanted = laws.time_range(start, end), laws.event_types(types)
        events = (laws.decode_event(value) for _, value in self._read("event", ""))
        return laws.select_events(events, span, wanted)

    def save_strategy_state(self, strategy_name, state):
        key = self._name(strategy_name, "strategy_name")
        self._put(("state", key, 0, laws.encode_document(state, "state")))

    def load_strategy_state(self, strategy_name):
        rows = self._read("state", self._name(strategy_name, "strategy_name"))
        return laws.decode_document(rows[0][1]) if rows else None

    def log_decision(self, strategy_name, decision):
        entry = laws.decision_entry(self._name(strategy_name, "strategy_name"), decision)
        self._append("decision", lambda last: laws.line_after(last, entry))

    def log_order(self, strategy_name, order, result):
        entry = laws.order_entry(self._name(strategy_name, "strategy_name"), order, result)
        self._append("order", lambda last: laws.line_after(last, entry))


@hookimpl
def storecore_backend():
    return BackendSpec(
        name="sqlite",
        config=SqliteConfig,
        open=SqliteStore,
        promises=frozenset({"durable", "shared"}),
        summary="one SQLite file",
    )
