"""Whether a store can be pickled or copied, by which it goes to another process."""

from __future__ import annotations

import pickle
from contextlib import suppress
from io import BytesIO
from typing import Any, SupportsIndex

from storecore.errors import NotSerializable, StoreError, text_of


class _Trial(pickle.Pickler):
    """Pickles what a store refers to, but not the stores in it: each is tried by itself."""

    def __init__(self, protocol: SupportsIndex, stores: type) -> None:
        super().__init__(BytesIO(), protocol.__index__())
        self._stores = stores

    def persistent_id(self, value: object) -> str | None:
        return "store" if isinstance(value, self._stores) else None


def check_picklable(name: str, reduced: Any, protocol: SupportsIndex, stores: type) -> None:
    """Raise `NotSerializable` if what a store is reduced to has a lock, a connection or the like.

    Other picklers accept functions that `pickle` does not: they are left to the one in use.
    """
    try:
        with suppress(pickle.PicklingError, AttributeError):
            _Trial(protocol, stores).dump(reduced)
    except TypeError as error:
        if isinstance(error, StoreError):
            raise
        raise NotSerializable(
            f"{name} cannot be pickled or copied: {text_of(error)}; open it again with open_store "
            "where it is needed. The author of a backend makes it possible with a __reduce__ that "
            "opens the same place: see the promise `pickled` in BACKENDS.md"
        ) from error
