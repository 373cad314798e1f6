"""Executes statements: with retries, or in a transaction that takes effect exactly once.

A single statement is one round trip and its own transaction. If a connection is lost during a
commit, the client cannot know whether it took effect. Then the store asks the server for the
transaction's number and for its rows, because a server that crashed may reuse the number of a lost
transaction. DESIGN.md, "Exactly once".
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
from psycopg.pq import TransactionStatus

from storecore.errors import ConfigError, LockTimeout, StorageError, StoreError
from storecore.values.fork import reset_after_fork
from storecore_postgres.connections import LONGEST_TIMEOUT, Connection, Connections, Pool
from storecore_postgres.errors import (
    PoolExhausted,
    is_connection_lost,
    is_transient,
    store_error,
    unreachable,
)
from storecore_postgres.wire import ADAPTERS

__all__ = ["Connection", "Database", "IsCommitted", "Pool", "Refusal", "Rows"]

_Result = TypeVar("_Result")
IsCommitted = Callable[[Connection, str, _Result], bool]
"""Returns whether the rows of a transaction exist, given its number and the result of its work."""
Rows = Callable[[str, str, Sequence[object]], list[tuple[Any, ...]]]
"""Returns the rows of a query: the operation, the statement and its parameters."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 1.0
_CONNECT_SECONDS = 10
_LOCKED = "55P03"  # lock_not_available
# Possible holders of the lock: sessions with a lock on a table of the database, readers excluded.
_HOLDERS = """
SELECT DISTINCT pid FROM pg_locks
WHERE granted AND pid <> pg_backend_pid() AND relation >= 16384 AND mode <> 'AccessShareLock'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY pid LIMIT 4
"""

_open: WeakSet[Database] = WeakSet()


@atexit.register
def _close_all() -> None:
    """Close the connections of stores that are still open at exit."""
    for database in list(_open):
        database.close()


class Refusal(Exception):
    """Raised by the work of a transaction that must not be committed.

    Its cause is what the caller gets. The connection is kept, unlike after any other exception.
    """


class Database:
    """Executes the statements of one store. Threads may share it."""

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
        if not dsn.strip():  # libpq would connect to any server of this machine
            raise ConfigError("dsn: it is empty; expected postgresql://user:password@host/database")
        self._dsn = dsn
        self._sizes = pool
        self._timeout = pool.timeout
        self._settings: dict[str, Any] = {
            "autocommit": True,
            "prepare_threshold": prepare_threshold,
            "context": ADAPTERS,
            "client_encoding": "utf8",
            "connect_timeout": _CONNECT_SECONDS,
            "fallback_application_name": "storecore",
        }
        self._limits = {"lock_timeout": pool.timeout, "statement_timeout": statement_timeout}
        self._pool = self._new_pool()

    @property
    def timeout(self) -> float:
        """The seconds that a call waits for a connection or a lock."""
        return self._timeout

    def open(self) -> None:
        """Open the first connections. Raises `StorageError` if that fails or takes too long."""
        try:
            self._pool.open(self._timeout)
        except psycopg.Error as error:
            raise self.failed(error, "connecting") from None
        reset_after_fork(self)
        _open.add(self)

    def after_fork(self) -> None:
        """Use new connections in a child: those of the parent remain the parent's."""
        self._of_parent = self._pool  # kept referenced: closing it would end the parent's sessions
        self._pool = self._new_pool()
        self._pool.closed = self._of_parent.closed

    def close(self) -> None:
        """Close all connections. A second call does nothing."""
        self._pool.close()

    @contextmanager
    def direct(self) -> Iterator[Connection]:
        """Open a connection outside the pool for a `with` block."""
        made = self._connection()
        if isinstance(made, StoreError):
            raise made  # outside the handler: the driver's message may contain the dsn
        with made:
            yield made

    def _connection(self) -> Connection | StoreError:
        """Return a connection, or the error that explains why there is none."""
        try:
            return self._connect({"lock_timeout": self._timeout})
        except psycopg.Error as error:
            return self.failed(error, "connecting") if error.sqlstate else unreachable(error)

    def retry(self, what: str, work: Callable[[Connection], _Result]) -> _Result:
        """Do idempotent work, and repeat it after a lost connection, a deadlock or the like.

        After `Pool.timeout` seconds a `StorageError` names the operation, `what`.
        """
        for left in self._attempts():
            try:
                return self._pool.lend(left, work)
            except psycopg.Error as error:
                failed = error
                if not is_transient(error):
                    break
        raise self.failed(failed, what) from failed

    def rows(
        self, what: str, statement: str, asked: Sequence[object], *, prepare: bool | None = None
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a query; with `prepare=False` it is planned for its parameters."""

        def read(connection: Connection) -> list[tuple[Any, ...]]:
            return connection.execute(statement, asked, prepare=prepare, binary=True).fetchall()

        return self.retry(what, read)

    def snapshot(self, what: str, work: Callable[[Rows], _Result]) -> _Result:
        """Do work whose queries all see the same rows, whatever is written meanwhile."""

        def read(connection: Connection) -> _Result:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            result = work(lambda _, *query: connection.execute(*query, binary=True).fetchall())
            connection.execute("COMMIT")
            return result

        return self.retry(what, read)

    def exactly_once(
        self, what: str, work: Callable[[Connection], _Result], is_committed: IsCommitted[_Result]
    ) -> _Result:
        """Do work in one transaction that takes effect exactly once, even if connections are lost.

        If a connection is lost during the commit, the server is asked whether it took effect. If no
        server answers in time, the `StorageError` says that the outcome is unknown.
        """
        for left in self._attempts():
            transaction = _Transaction(work)
            try:
                self._pool.lend(left, transaction.commit)
                return transaction.outcome()
            except psycopg.Error as error:
                failed = error
                if not is_transient(error):
                    break
                in_doubt = transaction.number and is_connection_lost(error)
                if in_doubt and self._was_committed(what, transaction, is_committed):
                    return transaction.result
        raise self.failed(failed, what) from failed

    def _attempts(self) -> Iterator[float]:
        """Yield the seconds that are left for each attempt; pauses between them grow."""
        left, pause = self._timeout, _FIRST_PAUSE
        deadline = monotonic() + left
        while left > 0:
            yield left
            sleep(max(0.0, min(pause * random.uniform(0.5, 1.0), deadline - monotonic())))
            left, pause = deadline - monotonic(), min(2 * pause, _LONGEST_PAUSE)

    def _was_committed(
        self, what: str, transaction: _Transaction[_Result], is_committed: IsCommitted[_Result]
    ) -> bool:
        """Return whether a transaction whose connection was lost at its commit was committed."""
        for left in self._attempts():
            try:
                kept = self._pool.lend(
                    left, lambda each: transaction.is_committed(each, is_committed)
                )
                if kept is not None:
                    return kept
            except psycopg.errors.InvalidParameterValue:  # the number itself was lost in a crash
                return False
            except psycopg.Error as error:
                if not is_transient(error):
                    break
        raise self._in_doubt(what)

    def _in_doubt(self, what: str) -> StorageError:
        return StorageError(
            f"{what}: the connection was lost at the commit, and no server answered for "
            f"{self._timeout:g} seconds whether it took effect; read the data back before you "
            "write it again"
        )

    def failed(self, error: psycopg.Error, what: str) -> StoreError:
        """Return an error of the server as one of storecore; `what` names the operation."""
        if isinstance(error, PoolExhausted):
            return StorageError(
                f"{what}: no connection became free in {self._timeout:g} seconds; share the store "
                "among fewer threads, or raise pool.max_size"
            )
        if error.sqlstate == _LOCKED:
            return LockTimeout(
                f"{what}: another session has held a lock on it for {self._timeout:g} seconds"
                f"{self._holders()}; nothing was written; end that session's transaction, or "
                "raise pool.timeout"
            )
        return store_error(error, what)

    def _holders(self) -> str:
        """Name the sessions that may hold the lock; empty if there are none any more."""
        try:
            with self.direct() as connection:
                found = connection.execute(_HOLDERS).fetchall()
        except (StoreError, psycopg.Error):
            return ""
        return f" (pid {', '.join(str(pid) for (pid,) in found)}?)" if found else ""

    def _new_pool(self) -> Connections:
        return Connections(lambda: self._connect(self._limits), self._sizes)

    def _connect(self, limits: dict[str, float | None]) -> Connection:
        connection = psycopg.connect(self._dsn, **self._settings)
        try:
            # A statement after a wait for a lock must see what was committed meanwhile.
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            connection.execute(_set(limits))
        except BaseException:
            connection.close()
            raise
        return connection


class _Transaction(Generic[_Result]):
    """Several statements in one transaction, with its number and result."""

    result: _Result

    def __init__(self, work: Callable[[Connection], _Result]) -> None:
        self._work = work
        self.number = ""  # given by the server, known just before the commit
        self._refusal: BaseException | None = None

    def commit(self, connection: Connection) -> None:
        """Do the work and commit. Raises `psycopg.Error` unless the server says that it has."""
        # Statements without a result cost no round trip of their own. A refusal does not leave the
        # block: psycopg swallows an exception that a signal handler raises while another one does.
        with connection.pipeline():
            connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            self._do(connection)
        if self._refusal is not None:
            connection.execute("ROLLBACK")
            return
        # The server merely warns of a COMMIT outside a transaction, and answers one of a failed
        # transaction with ROLLBACK.
        if connection.info.transaction_status != TransactionStatus.INTRANS:
            raise psycopg.OperationalError("the transaction ended before its commit")
        answer = connection.execute("COMMIT").statusmessage
        if answer != "COMMIT":
            raise psycopg.OperationalError(f"the server answered COMMIT with {answer}")

    def outcome(self) -> _Result:
        """Return the result of the work, or raise the reason of its refusal."""
        if self._refusal is not None:
            raise self._refusal
        return self.result

    def _do(self, connection: Connection) -> None:
        try:
            self.result = self._work(connection)
        except Refusal as refusal:
            self._refusal = refusal.__cause__
            return
        # Assigns a number if there is none: a coordinator of Citus may write nothing itself.
        asked = connection.execute("SELECT pg_current_xact_id()::text")
        ((self.number,),) = asked.fetchall()

    def is_committed(
        self, connection: Connection, is_committed: IsCommitted[_Result]
    ) -> bool | None:
        """Return whether it was committed and its rows exist; None while it is in progress."""
        asked = connection.execute("SELECT pg_xact_status(%s::xid8)", [self.number])
        ((status,),) = asked.fetchall()
        if status == "in progress":
            return None
        return status != "aborted" and is_committed(connection, self.number, self.result)


def _set(seconds: dict[str, float | None]) -> str:
    """Return the SQL that sets the timeouts of a session."""
    return "; ".join(
        f"SET {name} = {max(1, round(each * 1000))}"
        for name, each in seconds.items()
        if each is not None
    )
