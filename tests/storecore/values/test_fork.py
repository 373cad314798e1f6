"""What begins anew in a forked child: all that asked for it and still lives, and nothing else."""

from __future__ import annotations

import gc
import os

from storecore.values.fork import _reset, reset_after_fork


class Owner:
    forks = 0

    def after_fork(self):
        self.forks += 1


def test_who_asked_for_it_begins_anew_in_a_child():
    owner, other = Owner(), Owner()
    reset_after_fork(owner)
    child = os.fork()
    if not child:
        os._exit(10 * owner.forks + other.forks)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 10
    assert owner.forks == 0


def test_who_has_gone_is_not_kept():
    calls = []

    class Gone(Owner):
        def after_fork(self):
            calls.append(self)

    reset_after_fork(Gone())
    gc.collect()
    _reset()
    assert calls == []
