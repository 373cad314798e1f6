"""What a signal handler of the program raises in a plugin is no error of the plugin."""

from __future__ import annotations

import functools
import inspect
import operator
import signal
import sys
from unittest import mock

import pytest

from storecore import BackendLoadError, open_store
from storecore.plugins.isolation import is_from_program, reason

SIGNAL = signal.SIGUSR1


class TimeIsUp(Exception):
    pass


def raising(error):
    def handler(number, frame):
        raise error

    return handler


def forgetful(error):
    def handler(number, frame):
        del number, frame
        raise error

    return handler


def of_any_arguments(error):
    def handler(*args):
        raise error

    return handler


def reset_first(error):
    def handler(number, frame):
        signal.signal(SIGNAL, signal.SIG_DFL)
        raise error

    return handler


class Program:
    def __init__(self, error):
        self.error = error

    def stop(self, number, frame):
        del number, frame
        raise self.error

    def __call__(self, number, frame):
        del number, frame
        raise self.error


def made_by(error):
    class Handler:
        def __init__(self, number, frame):
            raise error

    return Handler


def in_several_functions(error):
    def handler(number, frame):
        stop()

    def stop():
        raise error

    return handler


HANDLERS = {
    "function": raising,
    "function that deletes its arguments": forgetful,
    "function of any arguments": of_any_arguments,
    "function that resets the signal": reset_first,
    "function that calls another": in_several_functions,
    "bound method": lambda error: Program(error).stop,
    "object": Program,
    "partial": lambda error: functools.partial(forgetful(error)),
    "partial of a partial's method": lambda error: functools.partial(
        functools.partial(Program(error)).func.stop
    ),
    "class": made_by,
    "mock": lambda error: mock.Mock(side_effect=error),
    "method of C that calls a function": lambda error: functools.partial(
        operator.call, raising(error)
    ),
    "cached function": lambda error: functools.lru_cache(raising(error)),
}
ERRORS = [TimeIsUp, TimeoutError, SystemExit, ModuleNotFoundError]


@pytest.fixture(params=HANDLERS)
def handled(request):
    """Return a function that makes an error that of the program's signal handler."""
    before = signal.getsignal(SIGNAL)
    yield lambda error: signal.signal(SIGNAL, HANDLERS[request.param](error))
    signal.signal(SIGNAL, before)


def caught(function):
    """Return what a function raises."""
    try:
        function()
    except BaseException as error:
        return error
    return None


@pytest.mark.parametrize("kind", ERRORS)
def test_whatever_a_handler_raises_is_of_the_program_whatever_it_is(handled, kind):
    error = kind("stop")
    handled(error)
    found = caught(lambda: signal.raise_signal(SIGNAL))
    assert (found, is_from_program(found)) == (error, True)


def test_what_a_plugin_raises_is_its_own_while_there_is_a_handler(handled):
    handled(TimeIsUp())
    assert not is_from_program(caught(lambda: {}["missing"]))


def calls_with_its_frame(*given):
    frame = inspect.currentframe()

    def inner(*args):
        args = args[0]
        raise TimeIsUp

    inner(*given, frame)


@pytest.mark.parametrize("given", [(), ("5",), (True,)])
def test_a_function_that_is_given_its_callers_frame_is_no_handler(given):
    assert not is_from_program(caught(lambda: calls_with_its_frame(*given)))


def test_a_function_with_a_local_of_its_callers_frame_is_no_handler():
    def plugin(number):
        caller = sys._getframe(1)
        raise TimeIsUp(number, caller)

    assert not is_from_program(caught(lambda: plugin(1)))


def test_a_text_that_a_handler_interrupts_is_not_replaced(handled):
    class Slow(Exception):
        def __str__(self):
            signal.raise_signal(SIGNAL)
            return "never"

    handled(TimeIsUp())
    with pytest.raises(TimeIsUp):
        reason(Slow())


def test_an_error_whose_text_raises_is_named_by_its_type():
    class Mute(Exception):
        def __str__(self):
            raise OSError

    assert reason(Mute()) == "Mute"


@pytest.mark.parametrize("kind", ERRORS)
def test_a_handler_interrupts_a_hook_after_the_write(site, handled, event, kind):
    error = kind("stop")
    source = """
import signal
from storecore import hookimpl

@hookimpl
def storecore_written():
    signal.raise_signal(signal.SIGUSR1)
"""
    site.install("acme-slow", modules={"acme_slow": source}, plugins={"slow": "acme_slow"})
    handled(error)
    with open_store("memory") as store:
        assert caught(lambda: store.write_event(event())) is error
        assert store.read_events("2000-01-01", "2100-01-01") == [event()]


SLOW = "import signal\nsignal.raise_signal(signal.SIGUSR1)\n"
BACKEND = """
import signal
from msgspec import Struct
from storecore import BackendSpec, hookimpl

class Config(Struct):
    where: str = ""
    def __post_init__(self):
        if self.where == "config":
            signal.raise_signal(signal.SIGUSR1)

def open_slow(config):
    signal.raise_signal(signal.SIGUSR1)

@hookimpl
def storecore_backend():
    return BackendSpec(name="acme", config=Config, open=open_slow)
"""


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("where", ["import", "config", "open"])
def test_a_handler_interrupts_the_opening_of_a_store(site, handled, kind, where):
    error = kind("stop")
    site.backend(SLOW + BACKEND if where == "import" else BACKEND, name="acme")
    handled(error)
    assert caught(lambda: open_store("acme", where=where)) is error


@pytest.mark.parametrize("kind", ["TimeoutError", "SystemExit"])
def test_a_plugin_that_raises_the_same_without_a_signal_is_an_error_of_it(site, kind):
    site.backend(f"raise {kind}", name="acme")
    with pytest.raises(BackendLoadError, match=f"its import failed: {kind}"):
        open_store("acme")
