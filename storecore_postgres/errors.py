"""What a database says is wrong, as the errors of storecore: what to do, and never a secret.

SQLSTATEs are those of PostgreSQL's documentation, appendix A.
"""

from __future__ import annotations

import re

import psycopg

from storecore.errors import (
    ConfigError,
    CorruptData,
    InvalidName,
    LockTimeout,
    StorageError,
    StoreClosed,
    StoreError,
)

OLDEST = 14


class PoolClosed(psycopg.Error):
    """The store was closed."""


class AllLent(psycopg.OperationalError):
    """All connections that the pool may have are lent."""


# That a key is taken; a cluster has one code for all that its workers refuse.
TAKEN = (psycopg.errors.UniqueViolation, psycopg.errors.InternalError_)
_DAMAGED = {
    "XX001",  # data_corrupted
    "XX002",  # index_corrupted
}
_PASSING = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "53300",  # too_many_connections
    "57P01",  # admin_shutdown
    "57P02",  # crash_shutdown
    "57P03",  # cannot_connect_now
}
_POOLED = (
    "a pooler (PgBouncer) handed the connection to another session of the server; open the store "
    'with prepare_threshold="never"'
)
_ADVICE = {
    "3F000": "the schema is missing; make it with `storecore init`",
    "42P01": "a table is missing; make it with `storecore init`, or name another schema",
    "42501": "this role may not; grant it what `storecore init` prints",
    "25006": "this server or role only reads; connect to the one that writes",
    "53100": "the server's disk is full; make room, then write again",
    "53200": "the server is out of memory",
    "57P01": "the server closed the connection; see its log",
    "57P02": "the server closed the connection; see its log",
    "53300": "the server has no connection left; give each store a smaller pool.max_size",
    "26000": _POOLED,
    "42P05": _POOLED,
}
_FATAL = {
    "password authentication": "is the user, is the password of the dsn right?",
    "does not exist": "make it, or name another one in the dsn",
    "pg_hba.conf": "let the server's pg_hba.conf admit this host, user and database",
    "too many": _ADVICE["53300"],
    "connection slots": _ADVICE["53300"],
    "starting up": "try again once it has started",
}
_WORDS = {
    "refused": "nothing listens there; is the server running, are host and port right?",
    "translate host name": "its host name is not known; is it spelt right?",
    "not known": "its host name is not known; is it spelt right?",
    "No such file": "it has no such socket; is the server running, is the host right?",
    "timeout": "no answer in time; are host and port right, does a firewall stand between?",
    "no password": "it asks for a password and the dsn has none; give it one",
    "SSL": "no encrypted connection could be agreed on; see sslmode of the dsn",
    "server closed the connection": "the server closed the connection; see its log",
}


def is_lost(error: psycopg.Error) -> bool:
    """Tell whether a connection is gone, so that what it was doing may have been done or not."""
    state = error.sqlstate or ""
    if state:
        return state.startswith("08") or state in {"57P01", "57P02"}
    return isinstance(error, psycopg.OperationalError) and not isinstance(error, AllLent)


def is_passing(error: psycopg.Error) -> bool:
    """Tell whether another try may help."""
    return is_lost(error) or error.sqlstate in _PASSING


class Unreachable(StorageError):
    """No server answers: nothing can be read or written until one does."""

    def __reduce__(self) -> tuple[type[StorageError], tuple[str, str | None, int | None]]:
        return StorageError, (self.args[0], self.path, self.errno)  # a process without this package


def unreachable(error: psycopg.Error) -> StoreError:
    """Return why there is no connection, without a word of the dsn that might be its password."""
    text = str(error)
    if isinstance(error, psycopg.ProgrammingError):
        return ConfigError(
            "dsn: not a connection string; expected postgresql://user:password@host:port/database "
            "with special characters as %XX, or host=… dbname=…"
        )
    fatal = re.search(r"FATAL:\s+(.*)", text)
    if fatal:
        advice = _first(_FATAL, fatal[1], "the server said so")
        return Unreachable(f"the database cannot be reached: {fatal[1].strip()}; {advice}")
    why = _first(_WORDS, text, "no connection was made; is the server running, is the dsn right?")
    return Unreachable(f"the database cannot be reached: {why}")


def _first(found: dict[str, str], text: str, otherwise: str) -> str:
    return next((said for word, said in found.items() if word in text), otherwise)


def translated(error: psycopg.Error, what: str) -> StoreError:
    """Return an error of the server as one of storecore; `what` is what was being done."""
    if isinstance(error, PoolClosed):
        return StoreClosed(f"{what}: the store was closed meanwhile; open it again to use it")
    state = error.sqlstate or ""
    said = error.diag.message_primary or ""
    if state == "54000":
        return InvalidName(f"{what}: a name is too long to be found again: {said}")
    if state in _DAMAGED:
        return CorruptData(f"{what}: {said}; the server has read what it did not write")
    if state == "57014":
        return LockTimeout(f"{what}: {said}; nothing was written; see statement_timeout")
    if not state:
        lost = isinstance(error, psycopg.OperationalError)
        return unreachable(error) if lost else StorageError(f"{what}: {error}")
    advice = _ADVICE.get(state)
    return StorageError(f"{what}: {said}" + (f"; {advice}" if advice else f" (SQLSTATE {state})"))
