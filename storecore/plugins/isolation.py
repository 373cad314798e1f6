"""Isolation of plugins: their errors, as opposed to exceptions of the program during their calls.

A plugin can harm only itself, whatever it raises, including `SystemExit`, `GeneratorExit` and
`CancelledError`, which are not subclasses of `Exception`. A `KeyboardInterrupt` comes from the user
and passes through. So does an exception raised by a signal handler of the program, such as an exit
at SIGTERM.
"""

from __future__ import annotations

import signal
from traceback import walk_tb
from types import CodeType
from typing import Any

from storecore.errors import text_of


def is_from_program(error: BaseException) -> bool:
    """Return whether an exception raised in a plugin comes from the user or the program."""
    if isinstance(error, KeyboardInterrupt):
        return True
    if isinstance(error, Exception):
        return False
    handlers = _handlers()
    return any(frame.f_code in handlers for frame, _ in walk_tb(error.__traceback__))


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
    function = getattr(handler, "__func__", handler)  # of a bound method
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None
