"""Errors of a part of a store, whose messages begin with the name of the part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from storecore.errors import StoreError

_Item = TypeVar("_Item")


def name_part(error: StoreError, part: str) -> None:
    """Put the name of a part at the beginning of an error's message, unless it is there."""
    message, *rest = error.args or ("",)
    if isinstance(message, str) and not message.startswith(f"{part}: "):
        error.args = (f"{part}: {message}", *rest)
        if isinstance(error, ImportError):  # whose text is not that of its arguments
            error.msg = error.args[0]


@contextmanager
def naming(part: str) -> Iterator[None]:
    """Name a part, such as a nested store, in the errors that are raised within the context."""
    try:
        yield
    except StoreError as error:
        name_part(error, part)
        raise


def items_of(part: str, items: Iterable[_Item]) -> Iterator[_Item]:
    """Yield items, with the part named in the errors of the iteration."""
    with naming(part):
        yield from items
