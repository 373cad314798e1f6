"""A trial: a call in a child process, for what a plugin may do when it is imported or opened.

It may hang, end the process, crash it, or print past Python. So it harms only the child.
"""

from __future__ import annotations

import ctypes
import os
import signal
import warnings
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import connection, get_context
from multiprocessing.process import BaseProcess
from typing import Any, cast

import click

from storecore.cli.errors import one_line
from storecore.cli.interrupts import reporting
from storecore.cli.prints import prints_apart

LIMIT = 30
"""How many seconds the import of a plugin may take, and the opening of its store."""
_GRACE = 5.0
_PR_SET_PDEATHSIG = 1
_INTERRUPT = {signal.SIGINT}
_FORK = get_context("fork")  # it has the plugins that this process has registered


def tried(
    what: str,
    call: Callable[[], Any],
    limit: float | None = None,
    then: Callable[[Any], Any] | None = None,
) -> Any:
    """Return the result of a call in a child process: anything picklable but None.

    With `then` that function gets the result, which may be anything, in the same process and
    without a limit, and what it returns is the result. Raises `ClickException`, with one line, if
    the call raises, if its process ends, or if it takes longer than `limit` seconds (None: without
    a limit). `what` names the plugin in the last two, and after an interrupt.
    """
    receiver, sender = _FORK.Pipe(duplex=False)
    child = _FORK.Process(target=_answer, args=(call, then, sender))
    found, error, grace = None, f"{what}: it has not ended after {limit} seconds", 0.0
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPT)  # until the child can be ended
    try:
        _start(child)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        sender.close()
        with reporting(lambda: f"{what} has not ended"):
            if receiver.poll(limit):
                found, error = receiver.recv() or receiver.recv()
                grace = _GRACE
    except EOFError:
        error, grace = "", _GRACE
    finally:
        if child.pid:  # also after an interrupt that another thread has taken
            _end(child, grace)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        receiver.close()
    if found is None:
        raise click.ClickException(error or f"{what}: it ended its process{_how(child)}")
    return found


def _start(child: BaseProcess) -> None:
    with warnings.catch_warnings():  # Python 3.12 and later warn if there are threads
        warnings.simplefilter("ignore", DeprecationWarning)
        child.start()


def _answer(
    call: Callable[[], Any], then: Callable[[Any], Any] | None, sender: connection.Connection
) -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPT)
    os.setsid()  # to be ended with what it starts; Ctrl-C interrupts the parent only
    with suppress(AttributeError):  # Linux has it: a parent that is killed leaves no child
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.dup2(2, 1)  # what a plugin prints past Python is no part of the answer either
    try:
        with prints_apart():
            made = call()
            if then is not None:
                sender.send(None)  # the limit ends here
                made = then(made)
    except BaseException as error:
        sender.send((None, one_line(error)))
    else:
        sender.send((made, ""))


def _how(child: BaseProcess) -> str:
    code = child.exitcode or 0
    return f" by {signal.Signals(-code).name}" if code < 0 else f" with status {code}"


def _end(child: BaseProcess, grace: float) -> None:
    """End a child, if it does not do so by itself, and all that it has started."""
    connection.wait([child.sentinel], grace)
    with suppress(ProcessLookupError):
        os.killpg(cast(int, child.pid), signal.SIGKILL)
    child.kill()  # it may not have got as far as to be the first of its group
    child.join()
