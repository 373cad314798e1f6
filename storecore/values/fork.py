"""The one hook for forks. Objects are reset in the child, and may prepare in the parent.

A lock may be held in the child by a thread that does not exist there.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forking(Protocol):
    """An object that is reset in a forked child."""

    def after_fork(self) -> None:
        """Replace the locks, and reset the data that they guard."""
        ...


class Sharing(Forking, Protocol):
    """An object that also prepares what a child is about to share with its parent."""

    def around_fork(self) -> None:
        """Prepare in the parent, before each fork and after it."""
        ...


_owners: WeakSet[Forking] = WeakSet()
_sharing: WeakSet[Sharing] = WeakSet()


def reset_after_fork(owner: Forking) -> None:
    """Call `owner.after_fork()` in each child that is forked from now on.

    It is called in the child only, and the owner is not kept alive: after its end nothing is
    called. The owner must be hashable and weakly referable, as objects of most classes are.
    """
    _owners.add(owner)


def prepare_around_forks(owner: Sharing) -> None:
    """Call `owner.around_fork()` before and after each fork, and reset it in the child."""
    _sharing.add(owner)
    reset_after_fork(owner)


def _prepare() -> None:
    for owner in list(_sharing):
        owner.around_fork()


def _reset() -> None:
    for owner in list(_owners):
        owner.after_fork()


os.register_at_fork(before=_prepare, after_in_parent=_prepare, after_in_child=_reset)
