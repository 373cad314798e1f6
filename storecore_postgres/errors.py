"""Errors of the server and the driver as errors of storecore, with advice and without secrets.

The SQLSTATE codes are documented in appendix A of the PostgreSQL manual.
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
    """The pool is closed, because the store is."""


class PoolExhausted(psycopg.OperationalError):
    """All connections of the pool are in use."""


# A key exists already. Citus reports every error of its workers as an internal error.
KEY_TAKEN = (psycopg.errors.UniqueViolation, psycopg.errors.InternalError_)
_DAMAGED = {
    "XX001",  # data_corrupted
    "XX002",  # index_corrupted
}
_TRANSIENT = {
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
    "3F000": "the schema is missing; create it with `storecore init`",
    "42P01": "a table is missing; create it with `storecore init`, or name another schema",
    "42501": "this role lacks a privilege; grant it what `storecore init` prints",
    "25006": "this server or role is read-only; connect to one that can write",
    "54000": "a row or an answer is too large for the server; write or read fewer columns at once",
    "54011": "a table has at most 1,600 columns, removed ones included; use fewer of them",
    "53100": "the server's disk is full; free some space, then write again",
    "53200": "the server is out of memory",
    "57P01": "the server closed the connection; see its log",
    "57P02": "the server closed the connection; see its log",
    "53300": "the server has no free connection; lower pool.max_size of each store",
    "26000": _POOLED,
    "42P05": _POOLED,
}
_FATAL_ADVICE = {
    "password authentication": "are user and password of the dsn right?",
    "does not exist": "create it, or name another one in the dsn",
    "pg_hba.conf": "allow this host, user and database in the server's pg_hba.conf",
    "too many": _ADVICE["53300"],
    "connection slots": _ADVICE["53300"],
    "starting up": "try again once it has started",
}
_CONNECT_ADVICE = {
    "refused": "no server listens there; is it running, are host and port right?",
    "translate host name": "its host name cannot be resolved; is it spelled right?",
    "not known": "its host name cannot be resolved; is it spelled right?",
    "No such file": "the socket does not exist; is the server running, is the host right?",
    "timeout": "no answer in time; are host and port right, does a firewall block them?",
    "no password": "the server requires a password and the dsn has none; add it",
    "SSL": "no SSL connection could be negotiated; see sslmode of the dsn",
    "server closed the connection": "the server closed the connection; see its log",
}


def is_connection_lost(error: psycopg.Error) -> bool:
    """Return whether the connection is gone; its statement may or may not have taken effect."""
    state = error.sqlstate or ""
    if state:
        return state.startswith("08") or state in {"57P01", "57P02"}
    return isinstance(error, psycopg.OperationalError) and not isinstance(error, PoolExhausted)


def is_transient(error: psycopg.Error) -> bool:
    """Return whether another attempt may succeed."""
    return is_connection_lost(error) or error.sqlstate in _TRANSIENT


class Unreachable(StorageError):
    """No server answers, so nothing can be read or written."""

    def __reduce__(self) -> tuple[type[StorageError], tuple[str, str | None, int | None]]:
        # So that a process without this package can unpickle it.
        return StorageError, (self.args[0], self.path, self.errno)


def unreachable(error: psycopg.Error) -> StoreError:
    """Return the reason for a failed connection, without any part of the dsn."""
    text = str(error)
    if isinstance(error, psycopg.ProgrammingError):
        return ConfigError(
            "dsn: not a connection string; expected postgresql://user:password@host:port/database "
            "with special characters as %XX, or host=… dbname=…"
        )
    fatal = re.search(r"FATAL:\s+(.*)", text)
    if fatal:
        advice = _advice(_FATAL_ADVICE, fatal[1], "as the server reports")
        return Unreachable(f"the database cannot be reached: {fatal[1].strip()}; {advice}")
    otherwise = "no connection was made; is the server running, is the dsn right?"
    why = _advice(_CONNECT_ADVICE, text, otherwise)
    return Unreachable(f"the database cannot be reached: {why}")


def _advice(by_word: dict[str, str], text: str, otherwise: str) -> str:
    return next((advice for word, advice in by_word.items() if word in text), otherwise)


def store_error(error: psycopg.Error, what: str) -> StoreError:
    """Return an error of the server as one of storecore; `what` names the operation."""
    if isinstance(error, PoolClosed):
        return StoreClosed(f"{what}: the store was closed meanwhile; open it again")
    state = error.sqlstate or ""
    said = error.diag.message_primary or ""
    if state == "54000" and "index" in said:
        return InvalidName(f"{what}: a name is too long for an index: {said}")
    if state in _DAMAGED:
        return CorruptData(f"{what}: {said}; the server found damage in its own files")
    if state == "57014":
        return LockTimeout(f"{what}: {said}; nothing was written; see statement_timeout")
    if not state:
        lost = isinstance(error, psycopg.OperationalError)
        return unreachable(error) if lost else StorageError(f"{what}: {error}")
    advice = _ADVICE.get(state)
    return StorageError(f"{what}: {said}" + (f"; {advice}" if advice else f" (SQLSTATE {state})"))
