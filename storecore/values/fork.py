"""Resets objects in a forked child: a lock may be held there by a thread that does not exist."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forking(Protocol):
    """An object that is reset in a forked child."""

    def after_fork(self) -> None:
        """Replace the locks, and reset the data that they guard."""
        ...


_owners: WeakSet[Forking] = WeakSet()


def reset_after_fork(owner: Forking) -> None:
    """Call `owner.after_fork()` in each child that is forked from now on."""
    _owners.add(owner)


def _reset() -> None:
    for owner in list(_owners):
        owner.after_fork()


os.register_at_fork(after_in_child=_reset)
