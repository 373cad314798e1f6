"""States: a row for each version; the last few versions of each strategy are kept.

A row with version 0 has the last version of a state that was deleted. It is no state.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from storecore.errors import CorruptData, StateConflict, StorageError
from storecore.reports import StateVersion
from storecore.states import check_expected, saved_at_of
from storecore.store.collections import StateCollection
from storecore.values.documents import decode_document
from storecore.values.times import exact_instant, to_datetime
from storecore_postgres.database import Connection, Database, IsCommitted, Refusal
from storecore_postgres.rows import decoding, issue
from storecore_postgres.schema.version import SchemaVersion
from storecore_postgres.wire import Timestamptz, moment, timestamptz

# Writers of one state take turns. Otherwise a delayed writer could save a version that is already
# too old to be kept, and nobody would ever see it.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))"
_NEWEST = """
SELECT coalesce(max(version), 0) FROM {schema}.states WHERE strategy = %s
"""
_LAST_DELETED = """
SELECT document::text FROM {schema}.states WHERE strategy = %s AND version = 0
"""
_INSERT = "INSERT INTO {schema}.states (strategy, version, document) VALUES (%s, %s, %s)"
# The time of another store; -infinity if it is not known.
_RESTORE = """
INSERT INTO {schema}.states (strategy, version, document, saved_at)
VALUES (%s, %s, %s, coalesce(%s::timestamptz, '-infinity'))
"""
_DELETE = "DELETE FROM {schema}.states WHERE strategy = %s AND version <= %s"
_HISTORY = """
SELECT version, document::text, timestamptz_send(saved_at) FROM {schema}.states
WHERE strategy = %s AND version > 0 ORDER BY version DESC LIMIT {kept}
"""
# Another store may keep fewer versions: a later version proves that this number was taken.
_COMMITTED = """
SELECT coalesce(
    (SELECT document::text = %s FROM {schema}.states WHERE strategy = %s AND version = %s),
    EXISTS (SELECT 1 FROM {schema}.states WHERE strategy = %s AND version > %s)
)
"""
_LAST = """
SELECT version, saved_at::text FROM {schema}.states
WHERE strategy = %s ORDER BY version DESC LIMIT 1
"""
_DELETED = """
SELECT NOT EXISTS (
    SELECT 1 FROM {schema}.states
    WHERE strategy = %s AND version = %s AND saved_at = %s::timestamptz
)
"""
_STRATEGIES = "SELECT DISTINCT strategy FROM {schema}.states WHERE version > 0"


class _Deletion(msgspec.Struct, frozen=True):
    """The document of version 0: the last version of a state that was deleted."""

    deleted: int


class States(StateCollection):
    """All states of a store."""

    def __init__(
        self, database: Database, schema: str, version: SchemaVersion, kept_versions: int
    ) -> None:
        self._database = database
        self._version = version
        self._table = f"{schema}.states"
        self.kept_versions = kept_versions
        (
            self._newest,
            self._insert,
            self._restore,
            self._delete,
            self._committed,
            self._strategies,
            self._last,
            self._last_deleted,
            self._deleted,
        ) = (
            each.format(schema=schema)
            for each in (
                _NEWEST,
                _INSERT,
                _RESTORE,
                _DELETE,
                _COMMITTED,
                _STRATEGIES,
                _LAST,
                _LAST_DELETED,
                _DELETED,
            )
        )
        self._history = _HISTORY.format(schema=schema, kept=kept_versions)

    def save(self, strategy: str, document: bytes, expect: int | None) -> None:
        """Replace the state of a strategy, exactly once."""
        encoded = document.decode()

        def put(connection: Connection) -> tuple[int, str]:
            stored = self._locked_version(connection, strategy)
            _check_expected(strategy, expect, stored)
            number = (stored or self._last_version(connection, strategy)) + 1
            connection.execute(self._insert, [strategy, number, encoded])
            connection.execute(self._delete, [strategy, number - self.kept_versions])
            return number, encoded

        self._database.exactly_once(
            f"saving the state of {strategy!r}", put, self._is_committed(strategy)
        )

    def restore(self, strategy: str, versions: list[tuple[int, bytes]], expect: int | None) -> None:
        """Replace a state and its history by versions of another store, exactly once."""

        def put(connection: Connection) -> tuple[int, str]:
            stored = self._locked_version(connection, strategy)
            _check_expected(strategy, expect, stored)
            newest, document = versions[0] if versions else (0, b"")
            if versions:
                connection.execute(self._delete, [strategy, max(stored, newest)])
            for version in versions:
                number, each = version
                given = [strategy, number, each.decode(), _saved(saved_at_of(version))]
                connection.execute(self._restore, given)
            return newest, document.decode()

        self._database.exactly_once(
            f"restoring the state of {strategy!r}", put, self._is_committed(strategy)
        )

    def delete(self, strategy: str, expect: int | None) -> bool:
        """Remove all versions of a state, exactly once; return whether there was one."""
        what = f"deleting the state of {strategy!r}"
        if self.version(strategy).version:  # what is left of it would be a state in release 1
            self._version.require(what)

        def put(connection: Connection) -> tuple[int, str]:
            stored = self._locked_version(connection, strategy)
            _check_expected(strategy, expect, stored)
            if not stored:
                return 0, ""
            ((version, saved_at),) = connection.execute(self._last, [strategy]).fetchall()
            connection.execute(self._delete, [strategy, stored])
            document = msgspec.json.encode(_Deletion(stored)).decode()
            connection.execute(self._insert, [strategy, 0, document])
            return version, saved_at

        def is_committed(connection: Connection, _: str, deleted: tuple[int, str]) -> bool:
            if not deleted[0]:
                return True
            # A history that was restored since may have its number, at another time.
            ((gone,),) = connection.execute(self._deleted, [strategy, *deleted]).fetchall()
            return bool(gone)

        return self._database.exactly_once(what, put, is_committed)[0] > 0

    def load(self, strategy: str) -> dict[str, Any] | None:
        """Return the state of a strategy, or None."""
        return self.version(strategy).state

    def history(self, strategy: str) -> list[StateVersion]:
        """Return the kept versions, newest first."""
        what = f"reading the state of {strategy!r}"
        rows = self._database.rows(what, self._history, [strategy])
        return [self._decoded(strategy, *row) for row in rows]

    def strategies(self) -> list[str]:
        """Return the names of the strategies with a state, sorted."""
        return sorted(
            name for (name,) in self._database.rows("reading strategies", self._strategies, [])
        )

    def issues(self) -> Iterator[StorageError | None]:
        """Yield for each row its error, or None."""
        for strategy in self.strategies():
            rows = self._database.rows("reading states", self._history, [strategy])
            yield from (issue(self._decoded, (strategy, *row)) for row in rows)

    def _locked_version(self, connection: Connection, strategy: str) -> int:
        """Return the stored version, locked against other writers until the transaction ends."""
        connection.execute(_LOCK, [f"{self._table} {strategy}"])
        ((version,),) = connection.execute(self._newest, [strategy]).fetchall()
        return int(version)

    def _last_version(self, connection: Connection, strategy: str) -> int:
        """Return the last version of a state that was deleted, 0 if none was."""
        place = f"{self._table}, strategy {strategy!r}, version 0"
        for (document,) in connection.execute(self._last_deleted, [strategy]).fetchall():
            with decoding(place):
                return msgspec.json.decode(document, type=_Deletion).deleted
        return 0

    def _is_committed(self, strategy: str) -> IsCommitted[tuple[int, str]]:
        """Return a check whether a version was saved; later versions may have replaced it since."""

        def is_committed(connection: Connection, _: str, saved: tuple[int, str]) -> bool:
            version, document = saved
            asked = [document, strategy, version, strategy, version]
            ((kept,),) = connection.execute(self._committed, asked).fetchall()
            return bool(kept)

        return is_committed

    def _decoded(self, strategy: str, version: int, document: str, saved: bytes) -> StateVersion:
        place = f"{self._table}, strategy {strategy!r}, version {version}"
        with decoding(place):
            state = decode_document(document.encode())
        if not isinstance(state, dict):
            raise CorruptData(f"{place}: expected a JSON object", place)
        at = moment(saved)
        return StateVersion(version, state, None if at is None else to_datetime(at, aware=True))


def _check_expected(strategy: str, expect: int | None, stored: int) -> None:
    """Refuse the save of a state whose version is not the expected one."""
    try:
        check_expected(strategy, expect, stored)
    except StateConflict as conflict:
        raise Refusal from conflict


def _saved(at: datetime | None) -> Timestamptz | None:
    """Return the time of a save as a parameter."""
    return None if at is None else timestamptz(exact_instant(at, "saved_at"))
