"""Tries many steps, and raises the first error once all are tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, Self, TypeVar

from storecore.errors import StoreError

_Result = TypeVar("_Result")


class Attempt(Protocol):
    """Runs one step, and returns None if it fails."""

    def __call__(self, do: Callable[[], _Result]) -> _Result | None:
        """Return what `do` returns."""
        ...


class Deferral:
    """An `Attempt`, as a context manager that raises the first error at its end. Thread-safe."""

    def __init__(self) -> None:
        self._failed: list[StoreError] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        failed, self._failed = self._failed, []
        if failed and error is None:
            raise failed[0]

    def __call__(self, do: Callable[[], _Result]) -> _Result | None:
        """Return what `do` returns, None if it fails."""
        try:
            return do()
        except StoreError as error:
            self._failed.append(error)
            return None
