"""Rows read: more than should be held at once page after page, and whether they are sound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from storecore.errors import CorruptData, StorageError
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


def issue(decode: Callable[..., object], row: Row) -> StorageError | None:
    """Return the issue of a row, None if it can be decoded.

    `CorruptData` means damaged; any other error means that the row could not be checked.
    """
    try:
        decode(*row)
    except StorageError as error:
        return error
    return None


class decoding:
    """Turns errors in decoding a row into `CorruptData` or `StorageError` (law D5).

    Wrong content is damage; too small a stack or memory is not.
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
