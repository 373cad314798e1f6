"""The logger `storecore`, redacted like the errors: see `storecore.redaction`."""

from __future__ import annotations

import logging

from storecore.redaction import plain

_NUMBERS = (int, float, type(None))


class _PlainRecords(logging.Filter):
    """Makes the arguments of log records plain; the rest of a record is our own text."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                each if isinstance(each, _NUMBERS) else plain(str(each)) for each in record.args
            )
        return True


log = logging.getLogger("storecore")
log.addFilter(_PlainRecords())
