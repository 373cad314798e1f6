"""The `postgres` backend: the same store in a PostgreSQL database, for many machines at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storecore_postgres.store import PostgresDataStore

__all__ = ["PostgresDataStore"]


def __getattr__(name: str) -> object:
    # Not before it is asked for: the driver is an extra that need not be installed.
    if name != "PostgresDataStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from storecore_postgres.store import PostgresDataStore

    return PostgresDataStore
