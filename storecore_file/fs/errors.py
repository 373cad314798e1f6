"""Errors that must not stop a call: logged, or deferred until all else is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, Self, TypeVar

from storecore.errors import StoreError
from storecore.values.logger import log as _log

_Result = TypeVar("_Result")


@contextmanager
def best_effort(place: Path, what: str) -> Iterator[None]:
    """Log an exception inside: a call that has written its data must not raise (law D2)."""
    try:
        yield
    except Exception as error:
        _log.warning("%s: %s: %s", place, what, error)


class Attempt(Protocol):
    """Runs one step of many."""

    def __call__(self, do: Callable[[], _Result]) -> _Result | None:
        """Return what `do` returns, None if it fails."""
        ...


class Deferral:
    """An `Attempt` that raises the first error once all steps are tried: a context manager.

    Threads may share it.
    """

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
