"""The option --date-format: an order of day and month, or a format of Python's `strptime`."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any, Self

import click
import pyarrow as pa
import pyarrow.compute as pc

from storecore.cli.imports.days import ORDERS, Clock

_CLOCK_CODES = re.compile(r"%[HIMSfpzZXTR]")


class DateFormat:
    """How dates are written: dmy, mdy, or a day and a time of the day with a blank between."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.order = text if text in ORDERS else None
        found = _CLOCK_CODES.search(text)
        at = found.start() if found else len(text)
        self._between = text[at - 1] if found and text[at - 1 : at] in (" ", "T", ";") else ""
        is_split = not found or self._between
        self._day = text[:at].rstrip(self._between) if is_split else text
        self._clock = text[at:] if found and is_split else ""

    @classmethod
    def of_option(cls, text: str) -> Self:
        """Return the format of an option. Raises `click.BadParameter` if it reads no date."""
        form = cls(text)
        if form.order is None and not re.search(r"%[dejDxFYymbBsG]", text):
            raise click.BadParameter(
                f"--date-format {text!r}: expected dmy, mdy, or a format such as %d/%m/%Y %H:%M"
            )
        return form

    def split(self, texts: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Return the days and the times of the day of texts."""
        if not self._clock:
            return texts, texts if self._is_joined else pa.repeat("", len(texts))
        blanks = self._day.count(self._between)
        one = f"[^{self._between}]*"
        pattern = f"^({one}(?:{self._between}{one}){{{blanks}}}){self._between}+(.*)$"
        return tuple(pc.replace_substring_regex(texts, pattern, each) for each in (r"\1", r"\2"))

    @property
    def _is_joined(self) -> bool:
        """Whether days and times of the day are read from one text."""
        return _CLOCK_CODES.search(self._day) is not None

    def day(self, text: str) -> date:
        """Return the day of a text. Raises `ValueError`."""
        return datetime.strptime(text, self._day).date()

    def clock(self, text: str) -> Clock:
        """Return the time of the day of a text. Raises `ValueError`."""
        found: Any = datetime.strptime(text, self._clock or self._day)
        since = found - found.replace(hour=0, minute=0, second=0, microsecond=0)
        return Clock(
            since.days * 86_400_000_000 + since.seconds * 10**6 + since.microseconds, found.tzinfo
        )
