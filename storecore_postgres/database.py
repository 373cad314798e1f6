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
from typing import Any, TypeVar
from weakref import WeakSet

import psycopg
from msgspec import Struct
from psycopg_pool import ConnectionPool, PoolTimeout

from storecore.errors import ConfigError, StorageError, StoreError
from storecore.forking import begin_anew_in_children
from storecore_postgres.failing import is_lost, is_passing, translated, unreachable
from storecore_postgres.wire import ADAPTERS

Connection = psycopg.Connection[Any]
_Result = TypeVar("_Result")
IsKept = Callable[[Connection, str, _Result], bool]
"""Tells whether what a transaction of that number wrote is there, given what its work returned."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 1.0
_CONNECT_SECONDS = 10
_LONGEST_TIMEOUT = 1e6


_open: WeakSet[Database] = WeakSet()


@atexit.register
def _close_all() -> None:
    """Let go of the connections of stores that nobody has closed, while threads can still end."""
    for database in list(_open):
        database.close()


class Pool(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many connections a store keeps, and how many seconds a call waits for one, or tries."""

    min_size: int = 1
    max_size: int = 10
    timeout: float = 30.0

    def __post_init__(self) -> None:
        if not 1 <= self.min_size <= self.max_size:
            raise ConfigError(
                f"min_size={self.min_size}, max_size={self.max_size}: expected 1 or more, and no "
                "more at least than at most"
            )
        if not 0 < self.timeout <= _LONGEST_TIMEOUT:
            raise ConfigError(f"timeout={self.timeout}: expected seconds, more than 0")


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
        if statement_timeout is not None and not 0 < statement_timeout <= _LONGEST_TIMEOUT:
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
        self._statement_timeout = statement_timeout
        self._settings: dict[str, Any] = {
            "autocommit": True,
            "prepare_threshold": prepare_threshold,
            "context": ADAPTERS,
            "client_encoding": "utf8",
            "connect_timeout": _CONNECT_SECONDS,
            "fallback_application_name": "storecore",
        }
        self._pool = self._made_pool()

    def open(self) -> None:
        """Make the first connections. Raises `StorageError` where there is none in time."""
        try:
            self._pool.open(wait=True, timeout=self._patience)
        except PoolTimeout as error:
            raise self._failed(error, "connecting") from None
        begin_anew_in_children(self)
        _open.add(self)

    def after_fork(self) -> None:
        """Leave the connections to the parent, whose they are, and have others."""
        self._of_parent = self._pool  # never let go of here: it might wait for the parent's threads
        self._pool = self._made_pool()
        if not self._of_parent.closed:
            self._pool.open()

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
            return psycopg.connect(self._dsn, **self._settings)
        except psycopg.Error as error:
            return unreachable(error)

    def retried(self, what: str, work: Callable[[Connection], _Result]) -> _Result:
        """Do what may be done twice, and again where a connection is lost or others got in the way.

        Tried for as long as `Pool.timeout`. Raises `StorageError` with `what` was being done.
        """
        for left in self._tries():
            try:
                with self._pool.connection(left) as connection:
                    return work(connection)
            except psycopg.Error as error:
                failed = error
                if not is_passing(error):
                    break
        raise self._failed(failed, what) from failed

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
            number = ""
            try:
                with self._pool.connection(left) as connection:
                    with connection.pipeline():  # what needs no answer waits for none
                        connection.execute("BEGIN")
                        result = work(connection)
                        number = _transaction_number(connection)
                    connection.execute("COMMIT")
                    return result
            except psycopg.Error as error:
                failed = error
                if not is_passing(error):
                    break
                in_doubt = number and is_lost(error)
                if in_doubt and self._was_committed(what, number, result, is_kept):
                    return result
        raise self._failed(failed, what) from failed

    def _tries(self) -> Iterator[float]:
        """Yield for each try how many seconds are left for it, after ever longer pauses."""
        left, pause = self._patience, _FIRST_PAUSE
        deadline = monotonic() + left
        while left > 0:
            yield left
            sleep(max(0.0, min(pause * random.uniform(0.5, 1.0), deadline - monotonic())))
            left, pause = deadline - monotonic(), min(2 * pause, _LONGEST_PAUSE)

    def _was_committed(
        self, what: str, number: str, result: _Result, is_kept: IsKept[_Result]
    ) -> bool:
        """Ask what became of a transaction whose connection was lost at its commit."""
        for left in self._tries():
            try:
                with self._pool.connection(left) as connection:
                    asked = connection.execute("SELECT pg_xact_status(%s::xid8)", [number])
                    ((status,),) = asked.fetchall()
                    if status != "in progress":
                        return status != "aborted" and is_kept(connection, number, result)
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

    def _failed(self, error: psycopg.Error, what: str) -> Exception:
        if not isinstance(error, PoolTimeout):
            return translated(error, what)
        with self.connected():  # says why, if there is no server
            return StorageError(
                f"{what}: no connection became free in {self._patience:g} seconds; let fewer "
                "threads share the store, or give it a larger pool.max_size"
            )

    def _made_pool(self) -> ConnectionPool[Connection]:
        return ConnectionPool(
            self._dsn,
            kwargs=self._settings,
            min_size=self._sizes.min_size,
            max_size=self._sizes.max_size,
            timeout=self._patience,
            configure=self._configure,
            num_workers=1,
            open=False,
        )

    def _configure(self, connection: Connection) -> None:
        if self._statement_timeout is not None:
            milliseconds = max(1, round(self._statement_timeout * 1000))
            connection.execute(f"SET statement_timeout = {milliseconds}")


def _transaction_number(connection: Connection) -> str:
    """Return the number of the open transaction, nothing if it has changed nothing."""
    asked = connection.execute("SELECT coalesce(pg_current_xact_id_if_assigned()::text, '')")
    ((number,),) = asked.fetchall()
    return str(number)
