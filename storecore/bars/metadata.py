"""The metadata of the schema of a table that a store returns: what it is, and where it is from.

    {b"storecore.timeframe": b"1d", b"storecore.backend": b"FileDataStore", b"storecore.version": …}

It is no part of a table's value: `Table.equals` and writes ignore it.
"""

from __future__ import annotations

from functools import lru_cache

import pyarrow as pa

from storecore.reports.version import __version__

TIMEFRAME, BACKEND, VERSION = b"storecore.timeframe", b"storecore.backend", b"storecore.version"


def described(table: pa.Table, timeframe: str, backend: str | None) -> pa.Table:
    """Return a table with its timeframe, and the class of the store that it is from."""
    return table.replace_schema_metadata(_metadata(timeframe, backend))


@lru_cache(maxsize=256)
def _metadata(timeframe: str, backend: str | None) -> dict[bytes, bytes]:
    found = {TIMEFRAME: timeframe.encode(), VERSION: __version__.encode()}
    return found if backend is None else {**found, BACKEND: backend.encode()}
