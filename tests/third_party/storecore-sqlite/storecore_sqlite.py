"""A storecore backend in SQLite: one table, every law but D5, for SQLite keeps no checksums."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from msgspec import Struct

from storecore import BackendSpec, Rows, RowStore, StorageError, StoreClosed, hookimpl

MAKE = "CREATE TABLE IF NOT EXISTS kept (kind, key, at, value, PRIMARY KEY (kind, key, at))"
OF = "FROM kept WHERE kind=? AND key=? AND at BETWEEN ? AND ?"


class SqliteConfig(Struct):
    path: Path
    timeout: float = 30.0


class SqliteRows(Rows):
    def __init__(self, config: SqliteConfig) -> None:
        self.lock, self.path = RLock(), config.path
        self.file = sqlite3.connect(config.path, timeout=config.timeout, check_same_thread=False)
        with self.transaction(write=True):
            self.file.execute(MAKE)

    @contextmanager
    def transaction(self, *, write: bool) -> Iterator[None]:
        with self.lock:
            try:
                self.file.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                with self.file:
                    yield
            except sqlite3.Error as error:  # another thread may have closed it meanwhile
                if "closed database" in str(error):
                    raise StoreClosed(f"{self.path}: {error}") from error
                raise StorageError(f"{self.path}: {error}", self.path) from error

    def read(
        self, kind: str, key: str, first: int, last: int, *, newest: int | None = None
    ) -> list[tuple[int, bytes]]:
        order = f"ORDER BY at DESC LIMIT {-1 if newest is None else newest}"
        rows = self.file.execute(f"SELECT at, value {OF} {order}", (kind, key, first, last))
        return rows.fetchall()[::-1]

    def put(self, kind: str, rows: Iterable[tuple[str, int, bytes]]) -> None:
        statement = "INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)"
        self.file.executemany(statement, [(kind, *row) for row in rows])

    def delete(self, kind: str, key: str, first: int, last: int) -> int:
        return self.file.execute(f"DELETE {OF}", (kind, key, first, last)).rowcount

    def keys(self, kind: str) -> list[str]:
        found = self.file.execute("SELECT DISTINCT key FROM kept WHERE kind=?", (kind,))
        return [key for (key,) in found]

    def close(self) -> None:
        with self.lock:
            self.file.close()


@hookimpl
def storecore_backend() -> BackendSpec:
    return BackendSpec(
        name="sqlite",
        config=SqliteConfig,
        open=lambda config: RowStore(SqliteRows(config)),
        capabilities=frozenset(
            {"BarTables", "Catalog", "AuditTrail", "Bulk", "BulkAudit"}
            | {"VersionedState", "Transfer", "Maintenance"}
        ),
        promises=frozenset({"durable", "shared"}),
        summary="one SQLite file",
    )
