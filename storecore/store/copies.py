"""Whether a store can be pickled or copied, by which it goes to another process."""

from __future__ import annotations

import pickle
from contextlib import suppress
from threading import local
from typing import Any, SupportsIndex

from storecore.errors import StoreError

_trial = local()  # of this thread: the stores in a store are tried with it


def unpicklable(reduced: Any, protocol: SupportsIndex) -> TypeError | None:
    """Return why what a store is reduced to cannot be pickled: a lock, a connection or the like.

    Other picklers accept functions that `pickle` does not: they are left to the one in use. So is
    an error of storecore, which says more.
    """
    if getattr(_trial, "runs", False):
        return None
    _trial.runs = True
    try:
        with suppress(pickle.PicklingError, AttributeError):
            pickle.dumps(reduced, protocol.__index__())
    except TypeError as error:
        return None if isinstance(error, StoreError) else error
    finally:
        _trial.runs = False
    return None
