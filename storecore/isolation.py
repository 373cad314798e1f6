"""Tells what a plugin raises from what the program raises while a plugin runs.

A plugin can harm none but itself, whatever it raises: `SystemExit`, `GeneratorExit` and
`CancelledError` too, which are no `Exception`. A `KeyboardInterrupt` is the user's and goes
through, and so does what a signal handler of the program raises, as one that ends it at a SIGTERM.
"""

from __future__ import annotations

import signal
from traceback import walk_tb
from types import CodeType
from typing import Any

from storecore.errors import said


def is_programs(error: BaseException) -> bool:
    """Tell whether an exception that comes out of a plugin is the user's or the program's own."""
    if isinstance(error, KeyboardInterrupt):
        return True
    if isinstance(error, Exception):
        return False
    handlers = _handlers()
    return any(frame.f_code in handlers for frame, _ in walk_tb(error.__traceback__))


def reason(error: BaseException) -> str:
    """Return the kind and the text of an error of others, which may be unable to say it."""
    try:
        return f"{type(error).__name__}: {said(error)}"
    except Exception:
        return type(error).__name__


def _handlers() -> set[CodeType]:
    """Return the code of all signal handlers that are written in Python."""
    handlers = map(signal.getsignal, signal.valid_signals())
    return {code for each in handlers if (code := _code(each)) is not None}


def _code(handler: Any) -> CodeType | None:
    function = getattr(handler, "__func__", handler)  # of a bound method
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None
