"""Isolation of plugins: their errors, as opposed to exceptions of the program during their calls.

A plugin can harm only itself, whatever it raises, including `SystemExit`, `GeneratorExit` and
`CancelledError`, which are not subclasses of `Exception`. A `KeyboardInterrupt` comes from the user
and passes through. So does whatever a signal handler of the program raises, such as an exit at
SIGTERM or the error of a time limit, which may be an `Exception`.
"""

from __future__ import annotations

import inspect
import signal
from functools import partial
from itertools import pairwise
from traceback import walk_tb
from types import CodeType, FrameType, FunctionType, MethodType
from typing import Any

from storecore.errors import text_of


def is_from_program(error: BaseException) -> bool:
    """Return whether an exception raised in a plugin comes from the user or the program."""
    if isinstance(error, KeyboardInterrupt):
        return True
    handlers = _handlers()
    frames = (frame for frame, _ in walk_tb(error.__traceback__))
    return any(frame.f_code in handlers or _has_interrupted(frame) for frame in frames)


def reason(error: BaseException) -> str:
    """Return type and text of a foreign error, only its type if its `__str__` raises."""
    try:
        return f"{type(error).__name__}: {text_of(error)}"
    except BaseException as another:
        if is_from_program(another):
            raise
        return type(error).__name__


def _handlers() -> set[CodeType]:
    """Return the code of all signal handlers that are written in Python."""
    handlers = map(signal.getsignal, signal.valid_signals())
    return {code for each in handlers if (code := _code(each)) is not None}


def _code(handler: Any) -> CodeType | None:
    if isinstance(handler, partial):
        return _code(handler.func)
    if isinstance(handler, MethodType):
        return _code(handler.__func__)
    function = handler if isinstance(handler, FunctionType) else type(handler).__call__
    return function.__code__ if isinstance(function, FunctionType) else None


def _has_interrupted(frame: FrameType) -> bool:
    """Return whether a function was given a number and its caller's frame, as a handler is.

    So a handler is recognized that is of any other kind, or that has removed itself since.
    """
    names, rest, _, values = inspect.getargvalues(frame)
    more = values.get(rest or "")
    given = [*map(values.get, names), *(more if isinstance(more, tuple) else ())]
    return any(type(one) is int and two is frame.f_back for one, two in pairwise(given))
