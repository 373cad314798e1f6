"""A forked child resets the objects that asked for it and still exist, and nothing else."""

from __future__ import annotations

import gc
import os

from storecore.values.fork import _reset, prepare_around_forks, reset_after_fork


class Owner:
    forks = 0

    def after_fork(self):
        self.forks += 1


def test_an_object_that_asked_for_it_is_reset_in_a_child():
    owner, other = Owner(), Owner()
    reset_after_fork(owner)
    child = os.fork()
    if not child:
        os._exit(10 * owner.forks + other.forks)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 10
    assert owner.forks == 0


def test_an_object_that_no_longer_exists_is_not_kept():
    calls = []

    class Gone(Owner):
        def after_fork(self):
            calls.append(self)

    reset_after_fork(Gone())
    gc.collect()
    _reset()
    assert calls == []


def test_an_object_may_prepare_in_the_parent_before_and_after_a_fork():
    calls = []

    class Sharing(Owner):
        def around_fork(self):
            calls.append("parent")

    owner = Sharing()
    prepare_around_forks(owner)
    child = os.fork()
    if not child:
        os._exit(10 * len(calls) + owner.forks)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 11
    assert (calls, owner.forks) == (["parent", "parent"], 0)
