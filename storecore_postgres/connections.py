"""The connections of a store, each lent to one caller at a time.

The caller connects, and gets the server's reason if that fails. No background thread of the pool
waits to retry, so the next call reaches a server that is back. When a call ends, even by an
interrupt, its connection comes back idle or is closed: no transaction stays open, and no statement
is carried out after the call has raised.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import RLock
from time import monotonic
from typing import Any, TypeVar
from weakref import WeakSet

import psycopg
from msgspec import Struct
from psycopg.pq import ExecStatus, PipelineStatus, TransactionStatus

from storecore.errors import ConfigError
from storecore_postgres.errors import AllLent, PoolClosed

Connection = psycopg.Connection[Any]
_Result = TypeVar("_Result")
LONGEST_TIMEOUT = 1e6
_IDLE_SECONDS = 600.0  # after which connections beyond `min_size` are closed
_LIFETIME = 3600.0  # so that a new address of the server is noticed
_LOOK_AGAIN = 0.5  # seconds; nobody says that a caller who was interrupted has let go
_CANCEL_SECONDS = 5.0


class Pool(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many connections a store keeps, and how many seconds a call waits for one, or retries.

    A statement waits as long for a lock that another session holds.
    """

    min_size: int = 1
    max_size: int = 10
    timeout: float = 30.0

    def __post_init__(self) -> None:
        if not 1 <= self.min_size <= self.max_size:
            raise ConfigError(
                f"min_size={self.min_size}, max_size={self.max_size}: expected 1 or "
                "more, and min_size not above max_size"
            )
        if not 0 < self.timeout <= LONGEST_TIMEOUT:
            raise ConfigError(f"timeout={self.timeout}: expected seconds, more than 0")


class _Idle(Struct):
    """An idle connection, when it was made and since when it is idle."""

    connection: Connection
    born: float
    since: float


class _Loan:
    """A slot of the pool, and its connection once there is one."""

    connection: Connection | None = None
    born = 0.0


class Connections:
    """Up to `max_size` connections. Threads may share it."""

    def __init__(self, connect: Callable[[], Connection], sizes: Pool) -> None:
        self._connect = connect
        self.min_size, self.max_size = sizes.min_size, sizes.max_size
        self.closed = False
        # Not a Condition, whose methods an interrupt can leave with its lock held; and one that a
        # signal's handler can take again, which may use the store.
        self._lock = RLock()
        self._returned: SimpleQueue[None] = SimpleQueue()
        self._idle: list[_Idle] = []  # the last used at the end
        self._loans: WeakSet[_Loan] = WeakSet()  # one that is lost is none
        self._failure = ""  # of the last try to connect

    def open(self, timeout: float) -> None:
        """Make the first connections. Raises `psycopg.Error` on a timeout, and is then closed."""
        deadline = monotonic() + timeout
        loans = [_Loan() for _ in range(self.min_size)]
        try:
            for loan in loans:
                self._take(loan, deadline)
            if monotonic() > deadline:
                raise psycopg.OperationalError("timeout")
        except BaseException:
            self.close()
            raise
        finally:
            for loan in loans:
                self._give_back(loan)

    def close(self) -> None:
        """Close all connections; lent ones when they are given back."""
        with self._lock:
            self.closed = True
            idle, self._idle = self._idle, []
        for each in idle:
            each.connection.close()
        for _ in range(len(self._loans) + len(idle)):
            self._returned.put(None)

    def lend(self, timeout: float, use: Callable[[Connection], _Result]) -> _Result:
        """Return what `use` returns for a connection. Raises `psycopg.Error` if none is available.

        A transaction that is open after `use` is rolled back.
        """
        loan = _Loan()
        try:
            try:
                return use(self._take(loan, monotonic() + timeout))
            finally:
                self._give_back(loan)
        finally:
            self._give_back(loan)  # an interrupt may have struck as the first began

    @contextmanager
    def connection(self, timeout: float = 30.0) -> Iterator[Connection]:
        """Lend a connection for a `with` block."""
        loan = _Loan()
        try:
            yield self._take(loan, monotonic() + timeout)
        finally:
            self._give_back(loan)

    def _take(self, loan: _Loan, deadline: float) -> Connection:
        while not self._is_granted(loan):
            left = deadline - monotonic()
            if left <= 0:
                raise self._none_free()
            with contextlib.suppress(Empty):
                self._returned.get(timeout=min(left, _LOOK_AGAIN))
        if loan.connection is None:
            loan.connection, loan.born = self._connected(), monotonic()
        return loan.connection

    def _is_granted(self, loan: _Loan) -> bool:
        """Give a loan a slot, with the connection that was used last, if one is free."""
        with self._lock:
            if self.closed:
                raise PoolClosed
            if not self._idle and len(self._loans) >= self.max_size:
                return False
            self._loans.add(loan)
            if self._idle:
                idle = self._idle.pop()
                loan.connection, loan.born = idle.connection, idle.born
            return True

    def _connected(self) -> Connection:
        try:
            connection = self._connect()
        except psycopg.Error as error:
            self._failure = str(error)
            raise
        self._failure = ""
        return connection

    def _none_free(self) -> psycopg.Error:
        """Return the reason: callers with a slot may be waiting for the server themselves."""
        if self._failure:
            return psycopg.OperationalError(self._failure)
        return AllLent(f"all {self.max_size} connections are lent")

    def _give_back(self, loan: _Loan) -> None:
        """Keep a connection that is idle or can be made so; close any other one."""
        connection = loan.connection
        try:
            if connection is not None:
                try:
                    self._settle(loan, connection)
                except BaseException:
                    connection.close()
                    raise
        finally:
            loan.connection = None
            self._loans.discard(loan)
            if self._returned.qsize() < self.max_size:
                self._returned.put(None)

    def _settle(self, loan: _Loan, connection: Connection) -> None:
        kept = _is_at_rest(connection)
        out = self._sorted_in(loan, connection) if kept else self._let_go(connection)
        for each in out:
            each.close()

    def _sorted_in(self, loan: _Loan, connection: Connection) -> list[Connection]:
        """Make a connection idle; return those to close."""
        now = monotonic()
        with self._lock:
            if self.closed or now - loan.born > _LIFETIME:
                return [connection]
            self._idle.append(_Idle(connection, loan.born, now))
            out: list[Connection] = []
            while len(self._idle) > self.min_size and now - self._idle[0].since > _IDLE_SECONDS:
                out.append(self._idle.pop(0).connection)
            return out

    def _let_go(self, connection: Connection) -> list[Connection]:
        """Return the connections to close with a lost one: the idle ones are lost too."""
        with self._lock:
            idle, self._idle = self._idle, []
        return [connection, *(each.connection for each in idle)]


def _is_at_rest(connection: Connection) -> bool:
    """Make a connection idle, its transaction rolled back; return whether it can be used."""
    status = connection.info.transaction_status
    if status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
        try:
            connection.rollback()
        except psycopg.Error:
            return False
    elif status == TransactionStatus.ACTIVE:
        _cancel(connection)
        return False
    return connection.info.transaction_status == TransactionStatus.IDLE


def _cancel(connection: Connection) -> None:
    """Cancel the running statement and wait for its end: closing would let it go on."""
    deadline = monotonic() + _CANCEL_SECONDS
    with contextlib.suppress(psycopg.Error):  # it is lost already
        connection.cancel_safe(timeout=_CANCEL_SECONDS)
        # What a pipeline has sent is in a transaction that is not committed.
        if connection.pgconn.pipeline_status == PipelineStatus.OFF:
            while not _is_over(connection.pgconn) and monotonic() < deadline:
                readable = [connection.pgconn.socket]
                select.select(readable, [], [], max(0.0, deadline - monotonic()))
                connection.pgconn.consume_input()


def _is_over(server: psycopg.pq.abc.PGconn) -> bool:
    """Return whether the server is done with a statement, its commit included."""
    while not server.is_busy():
        result = server.get_result()
        if result is None or result.status == ExecStatus.COPY_IN:  # which ends with the connection
            return True
    return False
