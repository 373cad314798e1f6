"""The life law that every store shares: close twice is fine, use after it is not (law L1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

from storecore.errors import StoreClosed

_Item = TypeVar("_Item")


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

    def _while_open(self, items: Iterable[_Item]) -> Iterator[_Item]:
        """Yield items as long as the store is open: what an iterator of it goes through."""
        iterator = iter(items)
        while True:
            self._check_open()
            try:
                item = next(iterator)
            except StopIteration:
                return
            yield item

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
