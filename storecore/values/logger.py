"""The logger `storecore`; its records are redacted like errors (`storecore.errors.redaction`).

So are the records of the loggers below it, such as `storecore.acme`. Every part of a record is
redacted: message, arguments, traceback, stack and the values that `extra` adds.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from traceback import format_exception
from typing import Any

from storecore.errors.redaction import is_clean, plain, redacted

_NUMBERS = (int, float, type(None))
_TEMPLATE = ("msg", "name")


def redact(record: logging.LogRecord) -> None:
    """Remove what no log may show from a record, in place.

    A traceback that shows a secret is replaced with its text: a formatter of its own, such as one
    that writes JSON, would make the text from the exception again.
    """
    for name, value in vars(record).items():
        if isinstance(value, str) and name not in _TEMPLATE:
            setattr(record, name, _plain_lines(value))
    _redact_message(record)
    _redact_exception(record)


class _PlainRecords(logging.Filter):
    """Redacts the records of the logger itself."""

    def filter(self, record: logging.LogRecord) -> bool:
        redact(record)
        return True


class _PlainBelow(logging.Handler):
    """Redacts the records of the loggers below: they pass this handler, but not the filter above.

    It runs before the handlers of the root logger. Without any handler, Python prints a record with
    `logging.lastResort`. The presence of this handler prevents that, so it does the same.
    """

    def handle(self, record: logging.LogRecord) -> bool:
        if record.name != log.name:
            redact(record)
        last = logging.lastResort
        if last and record.levelno >= last.level and not self._has_another(record.name):
            last.handle(record)
        return True

    def _has_another(self, name: str) -> bool:
        logger: logging.Logger | None = logging.getLogger(name)
        while logger:
            if any(each is not self for each in logger.handlers):
                return True
            logger = logger.parent if logger.propagate else None
        return False


def _redact_message(record: logging.LogRecord) -> None:
    """Redact the arguments, and the message as a whole: `password=%s` shows what they hide."""
    if isinstance(record.args, Mapping):
        record.args = {name: _plain(each) for name, each in record.args.items()}
    elif record.args:
        record.args = tuple(map(_plain, record.args))
    try:
        message = record.getMessage()
    except Exception:  # a wrong format: the handlers report it
        record.msg = redacted(str(record.msg))
        return
    if redacted(message) != message:
        record.msg, record.args = redacted(message), ()


def _plain(argument: Any) -> Any:
    if isinstance(argument, _NUMBERS):
        return argument
    try:
        return plain(str(argument))
    except Exception:  # a log call must not raise because of its arguments
        return f"<{type(argument).__name__}>"


def _redact_exception(record: logging.LogRecord) -> None:
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return
    parts = format_exception(error)
    text = "".join(map(_plain_lines, map(redacted, parts)))
    if text != "".join(parts) or not is_clean(error):
        record.exc_info, record.exc_text = None, text.rstrip("\n")


def _plain_lines(text: str) -> str:
    """Return a text of several lines, each redacted and escaped."""
    return "\n".join(map(plain, text.split("\n")))


log = logging.getLogger("storecore")
log.addFilter(_PlainRecords())
log.addHandler(_PlainBelow())
