"""The life law that every store shares: close twice is fine, use after it is not (law L1)."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from storecore.errors import StoreClosed


class Closing:
    """What a backend inherits to be closed and to be a context manager.

    Its methods begin with `self._check_open()`.
    """

    _closed = False

    def close(self) -> None:
        """Release what the store holds. A second call does nothing."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed(f"{type(self).__name__} is closed; open the store again to use it")

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
