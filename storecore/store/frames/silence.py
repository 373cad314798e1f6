"""Writes of tables that are not a user's own, such as those of a copy: they warn of nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_SILENT: ContextVar[bool] = ContextVar("storecore_silent", default=False)


@contextmanager
def silenced() -> Iterator[None]:
    """Give no `StoreWarning` in this block."""
    token = _SILENT.set(True)
    try:
        yield
    finally:
        _SILENT.reset(token)


def is_silenced() -> bool:
    """Return whether the current block is silenced."""
    return _SILENT.get()
