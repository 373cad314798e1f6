"""Threads that write at once share a commit, and no thread depends on the luck of another."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import threading
import time
import weakref
from contextlib import contextmanager, nullcontext, suppress
from threading import Lock

import pytest

from storecore.errors import StorageError
from storecore.values.fork import _reset
from storecore_file.fs import locks
from storecore_file.fs.locks import GroupCommit


class Commits:
    """Remembers what was committed together; waits, fails or is interrupted where it is told to."""

    def __init__(self):
        self.groups = []
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.raises = None

    def __call__(self, held, key, items, effect):
        until(self.goes_on.is_set)  # no lock of an event's own may be left locked by an interrupt
        if self.raises is not None:
            raise self.raises
        self.groups += [(key, items)]  # without a call: an interrupt finds both or none of the two
        if effect is not None:
            effect.is_there = True


@pytest.fixture
def commits():
    return Commits()


@pytest.fixture
def group(commits):
    return GroupCommit(nullcontext, commits)


@pytest.fixture
def start(group):
    """Write an item in a thread of its own; return what came of it, once it is known."""
    threads = []

    def write(item, key="log"):
        outcome = []

        def work():
            try:
                group.write(key, item)
                outcome.append("written")
            except BaseException as error:
                outcome.append(error)

        threads.append(threading.Thread(target=work, daemon=True))
        threads[-1].start()
        return outcome

    yield write
    for thread in threads:
        thread.join(10)


def until(condition):
    """Wait until a condition holds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture
def gathered(group, commits, start):
    """Let items gather while a first one is being committed; return the outcomes of all."""

    def gather(*items, then=lambda: None):
        commits.goes_on.clear()
        outcomes = [start("first")]
        until(lambda: group._turn.locked() and not group._waiting)
        for number, (key, item) in enumerate(items, 1):
            outcomes.append(start(item, key))
            until(lambda number=number: len(group._waiting) == number)
        then()
        commits.goes_on.set()
        until(lambda: all(outcomes))
        return [outcome[0] for outcome in outcomes]

    return gather


def test_one_thread_commits_at_once(group, commits):
    for item in (1, 2):
        group.write("log", item)
    assert commits.groups == [("log", [1]), ("log", [2])]


def test_what_gathers_during_a_commit_is_committed_together_in_its_order(gathered, commits):
    assert gathered(("log", 1), ("log", 2), ("log", 3)) == ["written"] * 4
    assert commits.groups == [("log", ["first"]), ("log", [1, 2, 3])]


def test_items_of_different_keys_are_committed_apart(gathered, commits):
    gathered(("a", 1), ("b", 2), ("a", 3))
    assert commits.groups[1:] == [("a", [1, 3]), ("b", [2])]


def test_an_error_of_one_key_is_raised_to_its_threads_alone(group, start, gathered, commits):
    failure = StorageError("a: disk full", "a", 28)

    def commit(held, key, items, effect):
        if key == "a":
            raise failure
        commits(held, key, items, effect)

    group._commit = commit
    outcomes = gathered(("a", 1), ("b", 2), ("a", 3))
    assert [str(each) for each in outcomes] == [
        "written",
        "a: disk full",
        "written",
        "a: disk full",
    ]
    assert [(each.path, each.errno) for each in outcomes[1::2]] == [("a", 28)] * 2
    assert len({id(each) for each in outcomes[1::2]}) == 2


def test_an_error_that_was_dealt_with_keeps_no_file_open():
    opened = []

    def commit(*_):
        file = type("File", (), {})()
        opened.append(weakref.ref(file))
        raise StorageError("full")

    gc.disable()
    try:
        with suppress(StorageError):
            GroupCommit(nullcontext, commit).write("log", 1)
        assert opened[0]() is None
    finally:
        gc.enable()


def test_an_interrupted_leader_is_no_leader_for_ever(group, commits):
    commits.raises = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        group.write("log", 1)
    commits.raises = None
    group.write("log", 2)
    assert commits.groups == [("log", [2])]


def interrupting_once(commits, item, then=lambda effect: None, error=KeyboardInterrupt):
    """Return a commit that raises at its first group with an item, after `then`."""
    left = [error]

    def commit(held, key, items, effect):
        commits.goes_on.wait(10)
        if item in items and left:
            then(effect)
            raise left.pop()
        commits(held, key, items, effect)

    return commit


class Interrupt(Exception):
    """What the handler of an alarm raises."""


@pytest.mark.parametrize("error", [KeyboardInterrupt, Interrupt])
def test_what_an_interrupted_leader_has_not_committed_the_others_commit(
    group, gathered, commits, error
):
    group._commit = interrupting_once(commits, 1, error=error)
    first, leader, *others = gathered(("log", 1), ("log", 2), ("log", 3))
    assert (first, type(leader), others) == ("written", error, ["written"] * 2)
    committed = [item for _, items in commits.groups for item in items]
    assert sorted(committed, key=str) == [2, 3, "first"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, StorageError("too late")])
def test_what_an_interrupted_leader_has_committed_nobody_commits_again(
    group, gathered, commits, error
):
    def commit(effect):
        commits.groups.append("both")
        effect.is_there = True

    group._commit = interrupting_once(commits, 1, commit, error)
    outcomes = gathered(("log", 1), ("log", 2))
    assert commits.groups == [("log", ["first"]), "both"]
    assert outcomes[2] == "written"


def test_an_item_whose_thread_is_interrupted_while_it_waits_is_never_committed(
    group, commits, start, monkeypatch
):
    def interrupted(self, seconds):
        raise KeyboardInterrupt

    commits.goes_on.clear()
    outcome = start("first")
    until(lambda: group._turn.locked())
    waiting = start("leads next")
    until(lambda: group._waiting)
    with monkeypatch.context() as patch:
        patch.setattr(locks._Waiting, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            group.write("log", "interrupted")
    commits.goes_on.set()
    until(lambda: outcome and waiting)
    group.write("log", "last")
    committed = [item for _, items in commits.groups for item in items]
    assert committed == ["first", "leads next", "last"]


def test_an_item_that_a_leader_has_in_hand_is_waited_for_by_its_interrupted_thread(
    group, commits, start, monkeypatch
):
    own = threading.get_ident()
    real = locks._Waiting.wait
    interrupts = [KeyboardInterrupt]

    def wait(self, seconds):
        if threading.get_ident() == own and interrupts:
            until(lambda: any(each is self for each in group._in_hand))
            threading.Timer(0.05, commits.goes_on.set).start()
            raise interrupts.pop()
        real(self, seconds)

    def commit(held, key, items, effect):
        if "first" not in items:
            commits.goes_on.clear()
        elif not commits.groups:
            until(lambda: len(group._waiting) == 2)
        commits(held, key, items, effect)

    group._commit = commit
    monkeypatch.setattr(locks._Waiting, "wait", wait)
    start("first")
    until(lambda: group._turn.locked())
    start("leader")
    until(lambda: group._waiting)
    with pytest.raises(KeyboardInterrupt):
        group.write("log", "interrupted")
    assert commits.groups[-1] == ("log", ["leader", "interrupted"])


def test_a_lock_that_cannot_be_had_is_an_error_for_those_who_waited_for_it_alone(
    commits, monkeypatch
):
    failure, waited, asked = StorageError("locked"), threading.Event(), []

    @contextmanager
    def lock():
        asked.append(threading.get_ident())
        if len(asked) == 2:
            until(lambda: len(group._waiting) == 3)
            raise failure
        if len(asked) == 1:
            waited.wait(10)
        yield

    group, outcomes = GroupCommit(lock, commits), {}

    def write(item):
        try:
            group.write("log", item)
            outcomes[item] = "written"
        except StorageError as error:
            outcomes[item] = str(error)

    def begin(item):
        threads.append(threading.Thread(target=write, args=(item,)))
        threads[-1].start()

    threads = []
    begin("first")
    until(lambda: asked)
    for number, item in enumerate(("leader", "early"), 1):
        begin(item)
        until(lambda number=number: len(group._waiting) == number)
    waited.set()
    until(lambda: len(asked) == 2)
    begin("late")
    for thread in threads:
        thread.join(10)
    assert outcomes == {
        "first": "written",
        "leader": "locked",
        "early": "locked",
        "late": "written",
    }


@pytest.mark.parametrize("lost", ["put down and forgotten", "taken and forgotten"])
def test_a_thread_that_nobody_tells_anything_leads_by_itself(group, commits, start, lost):
    group._waiting.append(locks._Waiting("log", "of a thread that was interrupted"))
    outcome = start("own")
    until(lambda: len(group._waiting) == 2 or outcome)
    if lost == "taken and forgotten":
        group._waiting.clear()
    until(lambda: outcome)
    assert outcome == ["written"]
    assert "own" in commits.groups[0][1]


def test_two_threads_that_waited_in_vain_commit_their_items_once(group, commits, start):
    group._waiting.append(locks._Waiting("log", "of a thread that was interrupted"))
    outcomes = [start(number) for number in range(5)]
    until(lambda: all(outcomes))
    committed = [item for _, items in commits.groups for item in items]
    assert sorted(map(str, committed[:])) == [*"01234", "of a thread that was interrupted"]


def test_a_leader_whose_item_another_committed_meanwhile_commits_nothing(group, commits, start):
    with group._turn:
        outcome = start("own")
        until(lambda: group._waiting)
        time.sleep(0.05)  # it waits for its turn by now
        group._waiting.pop().effect.is_there = True
    until(lambda: outcome)
    assert (outcome, commits.groups) == (["written"], [])


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda group: pickle.loads(pickle.dumps(group))]
)
def test_a_copy_has_threads_of_its_own(copied):
    group = GroupCommit(nullcontext, print)
    with group._turn, group._putting:
        copied(group).write("log", 1)


def test_turns_that_are_held_by_threads_that_do_not_exist_are_forgotten(group, commits):
    group._turn.acquire()
    group._waiting.append(None)
    _reset()
    group.write("log", 1)
    assert commits.groups == [("log", [1])]


def test_a_child_does_not_wait_for_a_thread_of_its_parent(group):
    with group._turn, group._putting:
        child = os.fork()
        if child == 0:
            group.write("log", 1)
            os._exit(0)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.01)
    else:
        os.kill(child, 9)
        pytest.fail("the child hangs")
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize("place", ["alone", "leads", "follows"])
def test_a_thread_interrupted_at_any_step_has_committed_its_item_by_then_or_never_does(
    commits, interrupted_at_each_step, monkeypatch, place
):
    """Nor is any other thread's item lost, doubled or told to be what it is not."""
    monkeypatch.setattr(locks, "_PATIENCE", 0.002)
    lock = Lock()
    group = GroupCommit(lambda: lock, commits)
    others, wrong = [], []

    def begin(item):
        outcome = []

        def work():
            try:
                group.write("log", item)
                outcome.append("written")
            except BaseException as error:
                outcome.append(error)

        threading.Thread(target=work, daemon=True).start()
        others.append((item, outcome))
        return outcome

    def prepare(step):
        """Let one thread commit, and another lead those that gather meanwhile, or be led."""
        if place == "alone":
            return
        commits.goes_on.clear()
        begin(f"first {step}")
        until(lambda: group._turn.locked() and not group._waiting)
        if place == "follows":
            begin(f"leader {step}")
            until(lambda: group._waiting)

        def go_on():
            time.sleep(0.001)
            begin(f"late {step}")
            time.sleep(0.002)
            commits.goes_on.set()

        threading.Thread(target=go_on).start()

    def committed():
        return [item for _, items in commits.groups for item in items]

    step = 0
    prepare(step)
    for interrupt in interrupted_at_each_step(lambda: group.write("log", step)):  # noqa: B023
        known = committed()
        if known.count(step) > 1 or (interrupt is None and step not in known):
            wrong.append((step, "at once", known))
        if place != "alone":
            until(lambda step=step: others[-1][0] == f"late {step}" and all(o for _, o in others))
        group.write("log", f"last {step}")
        if committed().count(step) != known.count(step):
            wrong.append((step, "later", committed()))
        wrong += [each for each in others if each[1] != ["written"]]
        wrong += [each for each in others if committed().count(each[0]) != 1]
        others.clear()
        commits.groups.clear()
        step += 1
        prepare(step)
    assert wrong == []
