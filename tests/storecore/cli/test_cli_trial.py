"""A plugin is tried in a child process: whatever it does, it harms only the child."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time

import click
import pytest

from storecore.cli import trial
from storecore.cli.trial import tried


@pytest.fixture
def interrupts():
    """SIGINT raises `KeyboardInterrupt`, also if the tests were started with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def failed(call, limit=60):
    """Return the one line with which a trial fails."""
    with pytest.raises(click.ClickException) as caught:
        tried("acme", call, limit)
    return caught.value.message


def gone(pid):
    """Return whether a process has ended, within a second."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if os.path.exists(f"/proc/{pid}/stat"):
            with open(f"/proc/{pid}/stat") as stat:  # nobody may have asked for its status yet
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        time.sleep(0.01)
    return False


def test_the_result_is_that_of_another_process():
    here, there = os.getpid(), tried("acme", os.getpid)
    assert isinstance(there, int)
    assert there != here


def test_what_the_call_raises_is_one_line():
    assert failed(lambda: 1 / 0).startswith("unexpected ZeroDivisionError")


def test_an_interrupt_that_the_call_raises_is_one_line_too():
    def interrupt():
        raise KeyboardInterrupt

    assert failed(interrupt).startswith("unexpected KeyboardInterrupt")


def test_a_call_that_ends_its_process_is_named_with_the_status():
    assert failed(lambda: os._exit(3)) == "acme: it ended its process with status 3"


def test_a_call_that_crashes_is_named_with_the_signal():
    crash = failed(lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert crash == "acme: it ended its process by SIGKILL"


def test_a_call_that_hangs_is_ended_with_all_that_it_has_started(tmp_path):
    pid = tmp_path / "pid"

    def hang():
        sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        pid.write_text(str(sleeper.pid))
        time.sleep(600)

    assert failed(hang, limit=2) == "acme: it has not ended after 2 seconds"
    assert gone(int(pid.read_text()))


def test_what_follows_the_call_is_in_its_process_and_has_no_limit():
    def follow(made):
        time.sleep(1.5)
        return made()

    assert tried("acme", lambda: os.getpid, 1, follow) != os.getpid()


def test_what_follows_the_call_may_raise_or_end_the_process():
    with pytest.raises(click.ClickException, match="unexpected ZeroDivisionError"):
        tried("acme", lambda: 1, 60, lambda made: made / 0)
    with pytest.raises(click.ClickException, match="acme: it ended its process with status 3"):
        tried("acme", lambda: 3, 60, os._exit)


def test_a_thread_that_goes_on_after_the_answer_ends_with_the_child(monkeypatch):
    monkeypatch.setattr("storecore.cli.trial._GRACE", 0.1)

    def begin():
        threading.Thread(target=time.sleep, args=(600,)).start()
        return os.getpid()

    assert gone(tried("acme", begin))


def test_what_the_call_prints_goes_to_stderr_even_past_python(capfd):
    def prints():
        os.write(1, b"past Python\n")
        print("by Python")
        return True

    tried("acme", prints)
    out, err = capfd.readouterr()
    assert out == ""
    assert "past Python\n" in err
    assert "by Python\n" in err


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_of_the_command_ends_the_child(tmp_path):
    pid = tmp_path / "pid"

    def hang():
        pid.write_text(str(os.getpid()))
        os.kill(os.getppid(), signal.SIGINT)
        time.sleep(600)

    with pytest.raises(KeyboardInterrupt):
        tried("acme", hang)
    assert gone(int(pid.read_text()))


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_while_the_child_is_forked_ends_it(tmp_path, monkeypatch):
    pid, start = tmp_path / "pid", trial._start

    def interrupted(child):
        start(child)
        pid.write_text(str(child.pid))
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(trial, "_start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tried("acme", lambda: time.sleep(600))
    assert gone(int(pid.read_text()))


def test_a_child_that_cannot_be_forked_says_why(monkeypatch):
    def refused(child):
        raise BlockingIOError(errno.EAGAIN, "no process is left")

    monkeypatch.setattr(trial, "_start", refused)
    with pytest.raises(BlockingIOError, match="no process is left"):
        tried("acme", os.getpid)


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_that_another_thread_takes_while_the_child_is_forked_ends_it(
    tmp_path, monkeypatch
):
    pid, start, over = tmp_path / "pid", trial._start, threading.Event()

    def interrupted(child):
        start(child)
        pid.write_text(str(child.pid))
        os.kill(os.getpid(), signal.SIGINT)  # blocked here, not in the other thread
        while True:  # the signal of another thread does not end a sleep of this one
            time.sleep(0.05)

    monkeypatch.setattr(trial, "_start", interrupted)
    other = threading.Thread(target=over.wait)
    other.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            tried("acme", lambda: time.sleep(600))
    finally:
        over.set()
        other.join()
    assert gone(int(pid.read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the child of a killed parent")
def test_a_command_that_is_killed_leaves_no_child(tmp_path):
    pid = tmp_path / "pid"
    program = f"""
import os, pathlib, time
from storecore.cli.trial import tried

def hang():
    pathlib.Path({str(pid)!r}).write_text(str(os.getpid()))
    os.kill(os.getppid(), 9)
    time.sleep(600)

tried("acme", hang)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == -signal.SIGKILL
    assert gone(int(pid.read_text()))
