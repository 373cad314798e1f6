"""The floor: connections to a database, what is tried again, and what is done exactly once.

A statement by itself is one round trip and a transaction of its own. What several statements do
together is done in a transaction. After a lost connection nobody knows whether its last commit was
carried out; the server is asked then, for the transaction by its number and for what it wrote: a
server that has crashed may give the number of a lost transaction to another one.
"""

from __future__ import annotations

import atexit
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any, Generic, TypeVar
from weakref import WeakSet

import psycopg

from storecore.errors import ConfigError, LockTimeout, StorageError, StoreError
from storecore.values.fork import begin_anew_in_children
from storecore_postgres.connections import LONGEST_TIMEOUT, Connection, Connections, Pool
from storecore_postgres.errors import AllLent, is_lost, is_passing, translated, unreachable
from storecore_postgres.wire import ADAPTERS

__all__ = ["Connection", "Database", "IsKept", "Pool"]

_Result = TypeVar("_Result")
IsKept = Callable[[Connection, str, _Result], bool]
"""Tells whether what a transaction of that number wrote is there, given what its work returned."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 1.0
_CONNECT_SECONDS = 10
_LOCKED = "55P03"  # lock_not_available
# Who may have held the lock: those who hold one of a table of the database and do not only read.
_HOLDERS = """
SELECT DISTINCT pid FROM pg_locks
WHERE granted AND pid <> pg_backend_pid() AND relation >= 16384 AND mode <> 'AccessShareLock'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY pid LIMIT 4
"""

_open: WeakSet[Database] = WeakSet()


@atexit.register
def _close_all() -> None:
    """Let go of the connections of stores that nobody has closed, while threads can still end."""
    for database in list(_open):
        database.close()


class Database:
    """The connections of one store. Threads may share it."""

    def __init__(
        self,
        dsn: str,
        pool: Pool,
        *,
        prepare_threshold: int | None = 5,
        statement_timeout: float | None = None,
    ) -> None:
        if statement_timeout is not None and not 0 < statement_timeout <= LONGEST_TIMEOUT:
            raise ConfigError(
                f"statement_timeout={statement_timeout!r}: expected seconds, more than 0"
            )
        if prepare_threshold is not None and prepare_threshold < 0:
            raise ConfigError(f"prepare_threshold={prepare_threshold!r}: expected 0 or more")
        if not dsn.strip():  # which libpq takes for whatever answers on this machine
            raise ConfigError("dsn: it is empty; expected postgresql://user:password@host/database")
        self._dsn = dsn
        self._sizes = pool
        self._patience = pool.timeout
        self._settings: dict[str, Any] = {
            "autocommit": True,
            "prepare_threshold": prepare_threshold,
            "context": ADAPTERS,
            "client_encoding": "utf8",
            "connect_timeout": _CONNECT_SECONDS,
            "fallback_application_name": "storecore",
        }
        self._limits = {"lock_timeout": pool.timeout, "statement_timeout": statement_timeout}
        self._pool = self._made_pool()

    def open(self) -> None:
        """Make the first connections. Raises `StorageError` where there is none in time."""
        try:
            self._pool.open(self._patience)
        except psycopg.Error as error:
            raise self.failed(error, "connecting") from None
        begin_anew_in_children(self)
        _open.add(self)

    def after_fork(self) -> None:
        """Leave the connections to the parent, whose they are, and have others."""
        self._of_parent = self._pool  # never let go of here: what it has open is the parent's
        self._pool = self._made_pool()
        self._pool.closed = self._of_parent.closed

    def close(self) -> None:
        """Let go of all connections. A second call does nothing."""
        self._pool.close()

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Lend a connection beside the pool, to set things up; its failure says why."""
        made = self._connection()
        if isinstance(made, StoreError):
            raise made  # outside of the handler: what the driver says may show the dsn
        with made:
            yield made

    def _connection(self) -> Connection | StoreError:
        """Return a connection, or why there is none."""
        try:
            return self._connect({"lock_timeout": self._patience})
        except psycopg.Error as error:
            return self.failed(error, "connecting") if error.sqlstate else unreachable(error)

    def retried(self, what: str, work: Callable[[Connection], _Result]) -> _Result:
        """Do what may be done twice, and again where a connection is lost or others got in the way.

        Tried for as long as `Pool.timeout`. Raises `StorageError` with `what` was being done.
        """
        for left in self._tries():
            try:
                return self._pool.lend(left, work)
            except psycopg.Error as error:
                failed = error
                if not is_passing(error):
                    break
        raise self.failed(failed, what) from failed

    def rows(self, what: str, statement: str, asked: Sequence[object]) -> list[tuple[Any, ...]]:
        """Return the rows that a question is answered with."""

        def read(connection: Connection) -> list[tuple[Any, ...]]:
            return connection.execute(statement, asked, binary=True).fetchall()

        return self.retried(what, read)

    def once(
        self, what: str, work: Callable[[Connection], _Result], is_kept: IsKept[_Result]
    ) -> _Result:
        """Do several statements as one transaction, exactly once, whatever happens to connections.

        Where a connection is lost at the commit the server is asked whether it was carried out; if
        nobody can be asked in time, the `StorageError` says that it is not known.
        """
        for left in self._tries():
            transaction = _Transaction(work)
            try:
                return self._pool.lend(left, transaction.committed)
            except psycopg.Error as error:
                failed = error
                if not is_passing(error):
                    break
                in_doubt = transaction.number and is_lost(error)
                if in_doubt and self._was_committed(what, transaction, is_kept):
                    return transaction.result
        raise self.failed(failed, what) from failed

    def _tries(self) -> Iterator[float]:
        """Yield for each try how many seconds are left for it, after ever longer pauses."""
        left, pause = self._patience, _FIRST_PAUSE
        deadline = monotonic() + left
        while left > 0:
            yield left
            sleep(max(0.0, min(pause * random.uniform(0.5, 1.0), deadline - monotonic())))
            left, pause = deadline - monotonic(), min(2 * pause, _LONGEST_PAUSE)

    def _was_committed(
        self, what: str, transaction: _Transaction[_Result], is_kept: IsKept[_Result]
    ) -> bool:
        """Ask what became of a transaction whose connection was lost at its commit."""
        for left in self._tries():
            try:
                kept = self._pool.lend(left, lambda each: transaction.is_kept(each, is_kept))
                if kept is not None:
                    return kept
            except psycopg.errors.InvalidParameterValue:  # a crash took the number itself
                return False
            except psycopg.Error as error:
                if not is_passing(error):
                    break
        raise self._in_doubt(what)

    def _in_doubt(self, what: str) -> StorageError:
        return StorageError(
            f"{what}: the connection was lost at the commit, and for {self._patience:g} seconds no "
            "server could be asked whether it was carried out; read it back before writing it again"
        )

    def failed(self, error: psycopg.Error, what: str) -> StoreError:
        """Return an error of the server as one of storecore; `what` is what was being done."""
        if isinstance(error, AllLent):
            return StorageError(
                f"{what}: no connection became free in {self._patience:g} seconds; let fewer "
                "threads share the store, or give it a larger pool.max_size"
            )
        if error.sqlstate == _LOCKED:
            return LockTimeout(
                f"{what}: another session has held a lock on it for {self._patience:g} seconds"
                f"{self._holders()}; nothing was written; end that session's transaction, or "
                "raise pool.timeout"
            )
        return translated(error, what)

    def _holders(self) -> str:
        """Return the sessions that may hold the lock; nothing if none has one any more."""
        try:
            with self.connected() as connection:
                found = connection.execute(_HOLDERS).fetchall()
        except (StoreError, psycopg.Error):
            return ""
        return f" (that of pid {', '.join(str(pid) for (pid,) in found)}?)" if found else ""

    def _made_pool(self) -> Connections:
        return Connections(lambda: self._connect(self._limits), self._sizes)

    def _connect(self, limits: dict[str, float | None]) -> Connection:
        connection = psycopg.connect(self._dsn, **self._settings)
        try:
            connection.execute(_set(limits))
        except BaseException:
            connection.close()
            raise
        return connection


class _Transaction(Generic[_Result]):
    """Several statements in one transaction, and what is known of it meanwhile."""

    result: _Result

    def __init__(self, work: Callable[[Connection], _Result]) -> None:
        self._work = work
        self.number = (
            ""  # of the server; nothing before it is about to be committed, or if unneeded
        )

    def committed(self, connection: Connection) -> _Result:
        """Carry it out."""
        with connection.pipeline():  # what needs no answer waits for none
            connection.execute("BEGIN")
            self.result = self._work(connection)
            # Assigned now if it has none: a cluster's coordinator may have written nothing itself.
            asked = connection.execute("SELECT pg_current_xact_id()::text")
            ((self.number,),) = asked.fetchall()
        connection.execute("COMMIT")
        return self.result

    def is_kept(self, connection: Connection, is_kept: IsKept[_Result]) -> bool | None:
        """Return whether it was committed and its rows are visible; None while it is under way."""
        asked = connection.execute("SELECT pg_xact_status(%s::xid8)", [self.number])
        ((status,),) = asked.fetchall()
        if status == "in progress":
            return None
        return status != "aborted" and is_kept(connection, self.number, self.result)


def _set(seconds: dict[str, float | None]) -> str:
    """Return the SQL that bounds how long a session waits or works."""
    return "; ".join(
        f"SET {name} = {max(1, round(each * 1000))}"
        for name, each in seconds.items()
        if each is not None
    )
