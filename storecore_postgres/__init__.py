"""The `postgres` backend: a store in a schema of a PostgreSQL database, shared by many machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storecore_postgres.store import PostgresDataStore

__all__ = ["PostgresDataStore"]


def __getattr__(name: str) -> object:
    # Imported on first use: the driver is an optional extra and may be missing.
    if name != "PostgresDataStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from storecore_postgres.store import PostgresDataStore

    return PostgresDataStore
