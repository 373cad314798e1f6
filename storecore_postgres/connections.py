"""The pool of connections of a store. Each connection is lent to one caller at a time.

Callers connect themselves, so they get the server's reason if that fails. The pool has no thread
that waits between retries, so the next call reaches a server that is back. A connection is lent
again only after a call that returned and left it idle. Any other one is closed, since the driver
and the server may be at different places in it: no transaction stays open, and no statement is
executed after the call has raised. DESIGN.md, "Connections".
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
from storecore_postgres.errors import PoolClosed, PoolExhausted

Connection = psycopg.Connection[Any]
_Result = TypeVar("_Result")
LONGEST_TIMEOUT = 1e6
_IDLE_SECONDS = 600.0  # after which connections beyond `min_size` are closed
_LIFETIME = 3600.0  # seconds; a new address of the server is noticed then
_POLL_SECONDS = 0.5  # an interrupted caller does not signal that its slot is free
_CANCEL_SECONDS = 5.0


class Pool(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The number of connections of a store, and its timeout.

    A store keeps `min_size` connections and opens at most `max_size`. A call waits at most
    `timeout` seconds for a connection or for a lock of another session, and retries that long.
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
    """An idle connection, and the times when it was opened and last returned."""

    connection: Connection
    born: float
    since: float


class _Loan:
    """A slot of the pool, and its connection as soon as it has one."""

    connection: Connection | None = None
    born = 0.0
    is_done = False  # the caller has returned, and has left the connection idle


class Connections:
    """A thread-safe pool of at most `max_size` connections."""

    def __init__(self, connect: Callable[[], Connection], sizes: Pool) -> None:
        self._connect = connect
        self.min_size, self.max_size = sizes.min_size, sizes.max_size
        self.closed = False
        # A Condition will not do: an interrupt in its methods can leave its lock held. The lock is
        # reentrant because a signal handler may use the store.
        self._lock = RLock()
        self._returned: SimpleQueue[None] = SimpleQueue()
        self._idle: list[_Idle] = []  # the last one was used last
        self._loans: WeakSet[_Loan] = WeakSet()  # weak: a lost loan frees its slot
        self._failure = ""  # of the last attempt to connect

    def open(self, timeout: float) -> None:
        """Open `min_size` connections. Raises `psycopg.Error` on a timeout, and closes the pool."""
        deadline = monotonic() + timeout
        loans = [_Loan() for _ in range(self.min_size)]
        try:
            for loan in loans:
                self._take(loan, deadline)
                self._finish(loan)
            if monotonic() > deadline:
                raise psycopg.OperationalError("timeout")
        except BaseException:
            self.close()
            raise
        finally:
            for loan in loans:
                self._give_back(loan)

    def close(self) -> None:
        """Close all connections; lent ones when they are returned."""
        with self._lock:
            self.closed = True
            idle, self._idle = self._idle, []
        for each in idle:
            each.connection.close()
        for _ in range(len(self._loans) + len(idle)):
            self._returned.put(None)

    def lend(self, timeout: float, use: Callable[[Connection], _Result]) -> _Result:
        """Call `use` with a connection and return its result.

        Raises `psycopg.Error` if no connection is available in time, and if `use` leaves a
        transaction open: it is rolled back, so what `use` did in it must not be acknowledged.
        """
        loan = _Loan()
        try:
            try:
                result = use(self._take(loan, monotonic() + timeout))
                self._finish(loan)
                return result
            finally:
                self._give_back(loan)
        finally:
            self._give_back(loan)  # an interrupt may strike as the first call begins

    @contextmanager
    def connection(self, timeout: float = 30.0) -> Iterator[Connection]:
        """Lend a connection for a `with` block."""
        loan = _Loan()
        try:
            yield self._take(loan, monotonic() + timeout)
            self._finish(loan)
        finally:
            self._give_back(loan)

    def _take(self, loan: _Loan, deadline: float) -> Connection:
        while not self._is_granted(loan):
            left = deadline - monotonic()
            if left <= 0:
                raise self._no_connection()
            with contextlib.suppress(Empty):
                self._returned.get(timeout=min(left, _POLL_SECONDS))
        if loan.connection is None:
            loan.connection, loan.born = self._connected(), monotonic()
        return loan.connection

    def _is_granted(self, loan: _Loan) -> bool:
        """Give a loan a free slot and the connection used last; return whether a slot was free."""
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

    def _no_connection(self) -> psycopg.Error:
        """Return why no connection is free: other callers may be waiting for the server too."""
        if self._failure:
            return psycopg.OperationalError(self._failure)
        return PoolExhausted(f"all {self.max_size} connections are in use")

    def _finish(self, loan: _Loan) -> None:
        """Note that a caller has returned. Raises `psycopg.Error` if it left work unfinished."""
        if loan.connection is not None and not _is_idle(loan.connection):
            raise psycopg.OperationalError("the call ended before its statements did")
        loan.is_done = True

    def _give_back(self, loan: _Loan) -> None:
        """Keep a connection whose caller has returned; close any other one."""
        connection = loan.connection
        try:
            if connection is not None:
                try:
                    self._put_back(loan, connection)
                except BaseException:
                    connection.close()
                    raise
        finally:
            loan.connection = None
            self._loans.discard(loan)
            if self._returned.qsize() < self.max_size:
                self._returned.put(None)

    def _put_back(self, loan: _Loan, connection: Connection) -> None:
        if loan.is_done:
            out = self._keep_idle(loan, connection)
        elif connection.closed:
            out = self._lost()
        else:
            _stop(connection)
            out = [connection]
        for each in out:
            each.close()

    def _keep_idle(self, loan: _Loan, connection: Connection) -> list[Connection]:
        """Add a connection to the idle ones; return the connections to close."""
        now = monotonic()
        with self._lock:
            if self.closed or now - loan.born > _LIFETIME:
                return [connection]
            self._idle.append(_Idle(connection, loan.born, now))
            out: list[Connection] = []
            while len(self._idle) > self.min_size and now - self._idle[0].since > _IDLE_SECONDS:
                out.append(self._idle.pop(0).connection)
            return out

    def _lost(self) -> list[Connection]:
        """Return the idle connections, to close them: they are probably lost too."""
        with self._lock:
            idle, self._idle = self._idle, []
        return [each.connection for each in idle]


def _is_idle(connection: Connection) -> bool:
    """Return whether nothing is under way: no transaction, no statement, no pipeline."""
    server = connection.pgconn
    is_idle = server.transaction_status == TransactionStatus.IDLE
    return is_idle and server.pipeline_status == PipelineStatus.OFF


def _stop(connection: Connection) -> None:
    """Cancel a running statement and wait for its end; closing alone would let it go on."""
    if connection.pgconn.transaction_status != TransactionStatus.ACTIVE:
        return
    deadline = monotonic() + _CANCEL_SECONDS
    with contextlib.suppress(psycopg.Error):  # the connection is lost already
        connection.cancel_safe(timeout=_CANCEL_SECONDS)
        # Statements of a pipeline are in a transaction that is not committed.
        if connection.pgconn.pipeline_status == PipelineStatus.OFF:
            while not _is_over(connection.pgconn) and monotonic() < deadline:
                readable = [connection.pgconn.socket]
                select.select(readable, [], [], max(0.0, deadline - monotonic()))
                connection.pgconn.consume_input()


def _is_over(server: psycopg.pq.abc.PGconn) -> bool:
    """Return whether the server has finished the statement, including its commit."""
    while not server.is_busy():
        result = server.get_result()
        if result is None or result.status == ExecStatus.COPY_IN:  # a COPY ends with the connection
            return True
    return False
