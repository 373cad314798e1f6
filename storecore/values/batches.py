"""Batches of records, before their records are checked: any iterable, as a list."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from storecore.errors import InvalidData

_Item = TypeVar("_Item")


def listed(batch: Iterable[_Item], kind: str, what: str) -> list[_Item]:
    """Return a batch as a list. Raises `InvalidData` for a single record or a non-iterable."""
    if isinstance(batch, msgspec.Struct):
        one = type(batch).__name__
        raise InvalidData(
            f"{what}: expected an iterable of {kind}, got one {one}; put it in a list"
        )
    try:
        given = iter(batch)
    except TypeError:
        raise InvalidData(
            f"{what}: expected an iterable of {kind}, got {type(batch).__name__}"
        ) from None
    return list(given)
