"""Reading rows: page by page if there may be many, with decoding errors as errors of storecore."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from storecore.errors import CorruptData, StorageError
from storecore_postgres.database import Database
from storecore_postgres.schema.layouts import Distribution

PAGE = 5_000
Row = tuple[Any, ...]
_SYMBOLS = {
    # A "loose index scan": one index lookup for each symbol. DISTINCT reads the whole index.
    "none": """
WITH RECURSIVE found AS (
    (SELECT symbol FROM {schema}.{table} ORDER BY symbol LIMIT 1)
    UNION ALL
    SELECT (
        SELECT symbol FROM {schema}.{table} WHERE symbol > found.symbol ORDER BY symbol LIMIT 1
    ) FROM found WHERE symbol IS NOT NULL
)
SELECT symbol FROM found WHERE symbol IS NOT NULL""",
    "citus": "SELECT DISTINCT symbol FROM {schema}.{table}",
    "timescale": "SELECT DISTINCT symbol FROM {schema}.{table}",
}


def pages(
    database: Database,
    what: str,
    statement: str,
    start: Sequence[object],
    key_of: Callable[[Row], Sequence[object]],
) -> Iterator[Row]:
    """Yield the rows after a key, in the order of the key; one statement reads one page.

    No transaction stays open between pages, so rows that are written meanwhile may be included.
    """
    key = start
    while rows := database.rows(what, statement, key):
        yield from rows
        key = key_of(rows[-1])


def symbols_statement(schema: str, table: str, distribution: Distribution) -> str:
    """Return the SQL that lists the symbols of a table whose key begins with the symbol."""
    return _SYMBOLS[distribution].format(schema=schema, table=table)


def issue(decode: Callable[..., object], row: Row) -> StorageError | None:
    """Return the error that decoding a row raises, or None.

    `CorruptData` means that the row is damaged. Any other error means that it was not checked.
    """
    try:
        decode(*row)
    except StorageError as error:
        return error
    return None


class decoding:
    """Turns errors in decoding a row into `CorruptData` or `StorageError` (law D5).

    Wrong content is damage. A stack or memory that is too small is not.
    """

    __slots__ = ("_place",)

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        """Go on."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, ValueError):
            raise CorruptData(f"{self._place}: {error}", self._place) from error
        if isinstance(error, RecursionError | MemoryError):
            why = "nested too deep" if isinstance(error, RecursionError) else "out of memory"
            raise StorageError(f"{self._place}: cannot decode it: {why}", self._place) from error
