"""The logger `storecore`; its records are redacted like errors (`storecore.errors.redaction`)."""

from __future__ import annotations

import logging

from storecore.errors.redaction import plain

_NUMBERS = (int, float, type(None))


class _PlainRecords(logging.Filter):
    """Redacts and escapes the arguments of log records; the formats are storecore's own."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                each if isinstance(each, _NUMBERS) else plain(str(each)) for each in record.args
            )
        return True


log = logging.getLogger("storecore")
log.addFilter(_PlainRecords())
