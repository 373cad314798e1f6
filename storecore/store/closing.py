"""`Closing`: `close()` and the context manager.

It knows no collection and no kind of data, so a backend of the ten methods alone may use it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar

from storecore.errors import StoreClosed, shown

_Item = TypeVar("_Item")


class Closing:
    """A base class that implements `close()` and the context manager.

    Every method of a subclass must first call `self._check_open()`.
    """

    _closed = False

    def close(self) -> None:
        """Release the resources of the store. A second call does nothing."""
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed(f"{named(self)} is closed; open the store again to use it")

    def _while_open(self, items: Iterable[_Item]) -> Iterator[_Item]:
        """Yield items while the store is open. Raises `StoreClosed` after `close()`."""
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


def named(store: Closing) -> str:
    """Return what an error calls an object: its repr, which has its place, or its class."""
    if type(store).__repr__ is object.__repr__:
        return type(store).__name__
    return shown(store).removesuffix("(closed)").removesuffix("()")
