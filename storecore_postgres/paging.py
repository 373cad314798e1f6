"""Rows read: more than should be held at once page after page, and whether they are sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from storecore.errors import CorruptData
from storecore_postgres.database import Database

PAGE = 5_000
Row = tuple[Any, ...]


def pages(
    database: Database,
    what: str,
    statement: str,
    start: Sequence[object],
    key_of: Callable[[Row], Sequence[object]],
) -> Iterator[Row]:
    """Yield the rows of a statement that asks for those behind a key, in its order.

    No transaction stays open meanwhile: rows that are written later may be among them.
    """
    key = start
    while rows := database.rows(what, statement, key):
        yield from rows
        key = key_of(rows[-1])


def damage(decode: Callable[..., object], row: Row) -> CorruptData | None:
    """Return what is wrong with a row, None where it can be decoded."""
    try:
        decode(*row)
    except CorruptData as error:
        return error
    return None
