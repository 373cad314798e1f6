"""The version of a store, raised before the first write that an older release would misread.

    1   what the first release reads
    2   bars with columns of their own or without a volume, records with `extra` or of a run,
        decisions to sell, the last version of a state that was deleted
    3   each version of a bar, fundamental and event with its instant of recording

A new store has version 3, or 1 on Citus and TimescaleDB. A store of an earlier release keeps its
version until it holds what version 2 allows, or until `add_history`: that release still opens it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import psycopg

from storecore.errors import StorageError
from storecore.values.documents import uses_extra
from storecore_postgres.database import Connection, Database
from storecore_postgres.schema.installation import (
    Installed,
    add_history,
    complete,
    renew_functions,
)
from storecore_postgres.schema.tables import keeps_history

_COLUMNS, _HISTORY = 2, 3


class SchemaVersion:
    """The version of a store as this process knows it; it never decreases."""

    def __init__(self, database: Database, schema: str, installed: Installed) -> None:
        self._database = database
        self._schema = schema
        self._layout = installed.layout
        self._known = int(installed.version)
        self.is_complete = installed.is_complete

    @property
    def has_history(self) -> bool:
        """Whether versions are recorded, and what is replaced is kept."""
        return self._known >= _HISTORY

    def require(self, what: str) -> None:
        """Raise the version of the store to 2, unless it is that or higher.

        `what` names the operation. Raises `StorageError` if the role may not.
        """
        if self._known >= _COLUMNS:
            return
        self.renew(what)
        statement = f"SELECT {self._schema}.use_version_2()::text"
        self.as_owner(what, lambda connection: connection.execute(statement))
        self._known = _COLUMNS

    def require_for(
        self,
        what: str,
        records: Iterable[bytes],
        needs: Callable[[bytes], bool] = uses_extra,
    ) -> None:
        """Raise the version if one of these encoded records needs it."""
        if self._known < _COLUMNS and any(map(needs, records)):
            self.require(what)

    def complete(self, what: str) -> None:
        """Add the tables and functions that an earlier release has not created."""
        if not self.is_complete:
            self.as_owner(what, lambda each: complete(each, self._schema, self._layout))
            self.is_complete = True

    def renew(self, what: str) -> None:
        """Add what is missing, and replace the functions if the schema has been renamed."""
        self.complete(what)
        self.as_owner(what, lambda each: renew_functions(each, self._schema, self._layout))

    def add_history(self, what: str) -> None:
        """Give a store of an earlier release a history, if its layout can have one.

        No other process may have it open: one of an earlier release could not write any more.
        """
        self.renew(what)
        if not self.has_history and keeps_history(self._layout):
            self.as_owner(what, lambda each: add_history(each, self._schema, self._layout))
            self._known = _HISTORY

    def as_owner(self, what: str, work: Callable[[Connection], object]) -> None:
        """Do what changes the tables. Raises `StorageError` with advice if the role may not."""
        try:
            self._database.retry(what, work)
        except StorageError as error:
            if not isinstance(error.__cause__, psycopg.errors.InsufficientPrivilege):
                raise
            raise StorageError(
                f"{what}: the tables of {self._schema} must be changed for it, which this role may "
                "not; run `storecore init` as their owner, and grant this role what it prints"
            ) from error.__cause__
