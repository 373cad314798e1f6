"""Laws D1 and D2 for one write of each kind, broken at each of its calls that changes things.

The write is done once whole, which tells its calls, and then once for each of them: the process is
killed at it, or it fails like a broken disk or a full one. What is there then is what was before,
or what the whole write makes of it, and `verify()` and `verify_audit()` find nothing.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.soak
KINDS = {  # and how many were written before
    "an append": [0, 3],
    "an append that splits a part": [1, 2],
    "a table": [0, 3],
    "an event": [0, 3],
    "a decision": [0, 3],
    "a state": [0, 6],
    "a fundamental": [0, 3],
    "a deletion": [1],
    "compaction": [1],
}
CASES = [(kind, already) for kind, counts in KINDS.items() for already in counts]
LATER = {"a deletion", "compaction"}  # folds and merges that fail are done later
FAILING = ("write", "pwrite64", "fsync", "fdatasync", "rename", "renameat", "renameat2")
IN_SEVERAL_PARTS = {"a deletion", "an append that splits a part"}  # then each bar is old or new


class Case(NamedTuple):
    """A store before a write, what is there after each, and the calls of the write."""

    kind: str
    number: int
    before: Path
    there: list
    calls: list


@pytest.fixture(params=CASES, ids=lambda each: f"{each[0]} after {each[1]}")
def case(request, tmp_path, writer, strace):
    kind, number = request.param
    before, whole = tmp_path / "before", tmp_path / "whole"
    there = []
    with writer.opened(kind, before):
        for each in range(number):
            assert writer.write(each) is None
        there.append(writer.read())
    shutil.copytree(before, whole)
    with writer.opened(kind, whole, warm=True) as process:
        traced = strace(process)
        for each in range(number, number + 4):
            assert writer.write(each) is None
            there.append(writer.read())
    calls = traced()
    return Case(kind, number, before, there, list(changes(calls)))


def changes(calls):
    """Yield (name, how many of that name) for each call that changes something, to the answer."""
    counts = Counter()
    for call in calls:
        name = call[1]
        counts[name] += 1
        if name not in ("open", "openat") or "O_CREAT" in call[0]:
            yield name, counts[name]
        if name == "writev":
            return


def check_old_or_new(case, found):
    old, new = case.there[:2]
    if case.kind in IN_SEVERAL_PARTS:
        assert {*old} & {*new} <= {*found} <= {*old} | {*new}
    else:
        assert found in (old, new)


def test_d1_a_kill_at_any_call_leaves_the_old_or_the_new(case, tmp_path, writer, strace):
    kills = 0
    for name, nth in case.calls:
        base = shutil.copytree(case.before, tmp_path / f"{name} {nth}")
        with writer.opened(case.kind, base, warm=True) as process:
            traced = strace(process, f"--inject={name}:signal=SIGKILL:when={nth}")
            writer.write(case.number)
            kills += writer.killed
        traced()
        with writer.opened(case.kind, base):
            found = writer.read()
            check_old_or_new(case, found)
            done = int(found == case.there[1])
            for each in (done, done + 1):
                assert writer.write(case.number + each) is None
                assert writer.read() == case.there[each + 1]
        shutil.rmtree(base)
    print(f"killed {kills} times")
    assert kills == len(case.calls)


@pytest.mark.parametrize("code", ["EIO", "ENOSPC"])
def test_d2_an_error_of_any_call_leaves_the_old_and_is_reported(
    case, tmp_path, writer, strace, code
):
    faults = tolerated = 0
    for name, nth in [call for call in case.calls if call[0] in FAILING]:
        base = shutil.copytree(case.before, tmp_path / f"{name} {nth}")
        with writer.opened(case.kind, base, warm=True) as process:
            traced = strace(process, f"--inject={name}:error={code}:when={nth}")
            error = writer.write(case.number)
            done = int(error is None)
            assert writer.read() == case.there[done]
            assert writer.write(case.number + done) is None
            assert writer.read() == case.there[1 + done]
        (fault,) = (call[0] for call in traced() if "INJECTED" in call[0])
        check_told(case.kind, error, fault, base, code)
        with writer.opened(case.kind, base):
            assert writer.read() == case.there[1 + done]
            assert writer.write(case.number + 1 + done) is None
            assert writer.read() == case.there[2 + done]
        faults, tolerated = faults + 1, tolerated + done
        shutil.rmtree(base)
    print(f"{faults} times {code}, {tolerated} of them without harm")


def check_told(kind, error, fault, base, code):
    if error is None:
        # A note of where a log ends may stay behind: the log itself heals it at the next write.
        assert ".head>" in fault or ".ends>" in fault or kind in LATER, fault
    else:
        number = getattr(errno, code)
        assert (error["error"], error["errno"]) == ("StorageError", number), fault
        assert error["text"].startswith(f"{error['path']}: cannot"), error
        assert error["text"].endswith(os.strerror(number)), error
        assert error["path"].startswith(str(base)), error
