"""Law D4 in `fs`: one writer at a time, whether it is a thread or a process."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import threading
import time
from contextlib import suppress

import pytest

from storecore.errors import LockTimeout, StorageError
from storecore_file.fs.locks import OPEN_LOCKS, Locked

HOLDER = """if True:
    import sys
    from pathlib import Path
    from storecore_file.fs.locks import Locked
    with Locked(Path(sys.argv[1]), 5):
        print("held", flush=True)
        sys.stdin.readline()
    print("free", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".lock"


@pytest.fixture
def holder(path, script):
    """Another process, which holds the lock until it is sent a line."""
    process = script(HOLDER, path)
    assert process.stdout.readline() == "held\n"
    return process


def is_free(path):
    try:
        with Locked(path, 0):
            return True
    except LockTimeout:
        return False


def from_another_thread(call):
    results = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join()
    return results[0]


def test_threads_exclude_each_other(path):
    with Locked(path, 1):
        assert not from_another_thread(lambda: is_free(path))
    assert from_another_thread(lambda: is_free(path))


def test_processes_exclude_each_other(path, holder):
    assert not is_free(path)
    print(file=holder.stdin, flush=True)
    assert holder.stdout.readline() == "free\n"
    assert is_free(path)


def test_locks_of_different_files_do_not_meet(path, holder):
    assert is_free(path.with_name(".other"))


def test_a_writer_waits_for_a_process_and_then_goes_on(path, holder):
    timer = threading.Timer(0.05, print, kwargs={"file": holder.stdin, "flush": True})
    timer.start()
    with Locked(path, 10):
        timer.join()
        assert holder.stdout.readline() == "free\n"


def test_no_two_threads_are_ever_inside(path):
    inside, most = [], []

    def work():
        for _ in range(20):
            with Locked(path, 10):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 80


@pytest.mark.parametrize("who", ["thread", "process"])
def test_waiting_too_long_is_an_error_that_says_what_to_do(path, who, request):
    if who == "process":
        request.getfixturevalue("holder")
        with pytest.raises(LockTimeout) as caught:
            Locked(path, 0.01).__enter__()
    else:
        with Locked(path, 1), pytest.raises(LockTimeout) as caught:
            Locked(path, 0.01).__enter__()
    assert str(caught.value) == (
        f"{path}: another writer has held this lock for 0.01 s; end it, or "
        "open the store with a longer lock_timeout"
    )


def test_a_writer_that_waited_too_long_holds_up_nobody(path, holder):
    assert not is_free(path)
    print(file=holder.stdin, flush=True)
    assert holder.stdout.readline() == "free\n"
    assert from_another_thread(lambda: is_free(path))


def test_the_lock_file_is_never_removed(path):
    with Locked(path, 1):
        number = path.stat().st_ino
    assert path.stat().st_ino == number


def test_a_lock_is_free_when_its_holder_was_killed(path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert is_free(path)


def test_a_lock_is_free_after_an_error_inside(path):
    with pytest.raises(ZeroDivisionError), Locked(path, 1):
        raise ZeroDivisionError
    assert is_free(path)


def test_a_lock_that_cannot_be_made_is_an_error_that_names_it_and_holds_up_nobody(tmp_path):
    path = tmp_path / "missing" / ".lock"
    for _ in range(2):
        with pytest.raises(StorageError, match="cannot lock: No such file") as caught:
            Locked(path, 0).__enter__()
        assert caught.value.path == str(path)


def test_an_error_of_the_file_system_is_one_that_names_the_lock(path, monkeypatch):
    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", unsupported)
    with pytest.raises(StorageError, match="cannot lock: Operation not supported"):
        Locked(path, 0).__enter__()


FORKING = """if True:
    import os, sys, threading
    from pathlib import Path
    from storecore_file.fs.locks import Locked
    path = Path(sys.argv[1])
"""


def test_a_child_that_was_forked_meanwhile_does_not_keep_the_lock(path, script):
    process = script(
        f"""{FORKING}
    with Locked(path, 1):
        child = os.fork()
        if not child:
            sys.stdin.readline()
            os._exit(0)
    try:
        with Locked(path, 0.1):
            print("locked again", flush=True)
    except TimeoutError as error:
        print(error, flush=True)
    """,
        path,
    )
    assert process.stdout.readline() == "locked again\n"


def test_a_child_waits_for_a_thread_of_its_parent_and_not_for_ever(path, script):
    process = script(
        f"""{FORKING}
    held, done = threading.Event(), threading.Event()
    def hold():
        with Locked(path, 1):
            held.set()
            done.wait()
    threading.Thread(target=hold).start()
    held.wait()
    end, start = os.pipe()
    child = os.fork()
    if not child:
        os.write(start, b"waiting")
        with Locked(path, 10):
            os._exit(0)
    os.read(end, 9)
    done.set()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """,
        path,
    )
    assert process.communicate()[0] == "0\n"


def test_what_a_child_does_first_is_to_let_go_of_the_locks_of_its_parent(path):
    held = Locked(path, 1)
    with held:
        OPEN_LOCKS.after_fork()  # called after a fork: here it leaves no one with the file open
        entered = []
        with Locked(path, 0):
            entered.append(path)
    held.forget()
    assert entered == [path]


def test_a_lock_that_a_child_has_open_too_is_unlocked_when_its_holder_lets_go(path):
    with Locked(path, 1) as lock:
        inherited = os.dup(lock.fileno())
    assert not is_free(path)  # closing it alone leaves it to who has it open too
    os.close(inherited)
    with Locked(path, 1) as lock:
        OPEN_LOCKS.around_fork()  # called before and after a fork
        inherited = os.dup(lock.fileno())
    assert is_free(path)
    os.close(inherited)


INTERRUPTED = """if True:
    import signal, sys
    from pathlib import Path
    from storecore_file.fs.locks import Locked

    class Interrupt(Exception):
        pass

    def interrupt(*_):
        raise Interrupt

    path, interrupted = Path(sys.argv[1]), 0
    sys.unraisablehook = lambda _: None  # an interrupt may come while an object is collected
    signal.signal(signal.SIGALRM, interrupt)
    for step in range(600):
        try:
            signal.setitimer(signal.ITIMER_REAL, 1e-6 + step * 1e-7)
            with Locked(path, 5):
                signal.setitimer(signal.ITIMER_REAL, 0)
        except Interrupt:
            interrupted += 1
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    with Locked(path, 0):
        print("free" if interrupted else "never interrupted", flush=True)
"""


def test_d4_an_exception_from_a_signal_leaves_no_lock_behind(path, script):
    assert script(INTERRUPTED, path, traced=False).communicate(timeout=60)[0] == "free\n"


def test_a_lock_counts_for_all_who_hold_it_later(path):
    with Locked(path, 1) as lock:
        assert lock.count()[2] == 0
        lock.count_up()
        counted = lock.count()
    with Locked(path, 1) as lock:
        assert lock.count() == counted
        lock.count_up()
        assert lock.count()[2] == 2
        assert lock.count() != counted


def test_the_count_of_a_lock_that_was_removed_and_made_anew_is_another(path):
    with Locked(path, 1) as lock:
        lock.count_up()
        counted = lock.count()
    path.unlink()
    with Locked(path, 1) as lock:
        lock.count_up()
        assert (lock.count()[2], lock.count() == counted) == (1, False)


def test_a_lock_that_cannot_count_is_an_error_that_names_it(path, failing):
    with Locked(path, 1) as lock:
        failing("ftruncate")
        with pytest.raises(StorageError, match=r"lock: cannot write"):
            lock.count_up()


# Law D4 where somebody else removes the files of locks.


def entered(path, timeout=10):
    """Hold a lock from now on, in another thread; return an event that says that it is held."""
    held, done = threading.Event(), threading.Event()

    def hold():
        with Locked(path, timeout):
            held.set()
            done.wait(10)

    threading.Thread(target=hold, daemon=True).start()
    return held, done


def link_to_folder(path, name):
    """Let a path be another folder, in one step."""
    folder, link = path.with_name(name), path.with_name("link")
    folder.mkdir()
    link.symlink_to(folder)
    link.rename(path)


@pytest.mark.parametrize("how", ["removed", "replaced", "with its folder"])
def test_d4_a_writer_that_waited_for_a_file_that_was_removed_waits_for_the_new_one(tmp_path, how):
    path = tmp_path / "log" / ".lock"
    link_to_folder(path.parent, "first")
    with Locked(path, 1):
        first, first_done = entered(path)
        time.sleep(0.01)  # it has the old file open
        if how == "replaced":
            path.with_name("new").touch()
            path.with_name("new").rename(path)
        elif how == "removed":
            path.unlink()
        else:
            link_to_folder(path.parent, "second")
        second, second_done = entered(path)
        until_one = time.monotonic() + 10
        while not first.is_set() and not second.is_set():
            assert time.monotonic() < until_one
            time.sleep(0.001)
    time.sleep(0.05)  # whoever waited for the old file could have it now
    assert first.is_set() != second.is_set()
    first_done.set()
    second_done.set()
    assert first.wait(10)
    assert second.wait(10)


def test_d4_a_file_that_is_removed_while_it_is_being_locked_is_not_the_lock(path, monkeypatch):
    real, calls = fcntl.flock, []

    def flock(number, how):
        if not calls:
            path.unlink()
        calls.append(how)
        real(number, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with Locked(path, 1):
        assert not from_another_thread(lambda: is_free(path))


def test_d4_a_file_that_is_removed_when_a_waiting_writer_gets_it_is_not_the_lock(path, monkeypatch):
    real, calls = fcntl.flock, []

    def flock(number, how):
        calls.append(how)
        if len(calls) == 1:
            raise BlockingIOError
        if len(calls) == 2:
            path.unlink()
        real(number, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with Locked(path, 1):
        assert len(calls) == 3
        assert not from_another_thread(lambda: is_free(path))


def test_a_lock_whose_folder_is_gone_is_an_error_and_holds_up_nobody(tmp_path):
    path = tmp_path / "log" / ".lock"
    path.parent.mkdir()
    with Locked(path, 1):
        timer = threading.Timer(0.02, shutil.rmtree, [path.parent])
        timer.start()
        with pytest.raises(StorageError, match="cannot lock: No such file"):
            Locked(path, 10).__enter__()
    path.parent.mkdir()
    assert is_free(path)


# An exception of a signal handler.


@pytest.mark.parametrize("others", [False, True])
def test_d4_an_exception_at_any_step_leaves_no_lock_behind(path, interrupted_at_each_step, others):
    """The exceptions are kept, and with them every object in their frames."""
    held, done = entered(path) if others else (threading.Event(), threading.Event())
    if others:
        held.wait(10)

    def lock():
        with suppress(LockTimeout), Locked(path, 0.003):
            pass

    for _ in interrupted_at_each_step(lock):
        assert is_free(path) != others
    done.set()
