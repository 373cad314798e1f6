"""Numbers as times: seconds to nanoseconds since 1970, by their magnitude, or digits of a calendar.

A unit counts if it puts all dates of a block between 1980 and 2100. If two readings are possible,
as of 2024010100, neither is taken.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from storecore.cli.imports.days import SECOND

_SOONEST, _LATEST = 315_532_800, 4_102_444_800  # 1980 and 2100, in seconds since 1970
_UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_FORMS = {10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
DIGITS = r"^[0-8]?\d{9,18}(\.0*)?$"  # of 64 bits


class Epoch(NamedTuple):
    """A unit of times since 1970, `per` second."""

    name: str
    per: int

    def instants(self, numbers: pa.Array) -> tuple[pa.Array, dict[int, str]]:
        """Return numbers as instants, and the problems of those that are finer or no dates."""
        low, high = _SOONEST * self.per, _LATEST * self.per
        outside = pc.or_(pc.less(numbers, low), pc.greater_equal(numbers, high))
        finer = self.per // SECOND
        if finer < 1:
            found = pc.multiply(numbers, SECOND // self.per)
            rest = pc.fill_null(pc.equal(numbers, None), False)
        else:
            found = pc.divide(numbers, finer)
            rest = pc.not_equal(pc.multiply(found, finer), numbers)
        texts = (
            (outside, f"as {self.name} since 1970 it is not between 1980 and 2100, as others are"),
            (rest, "finer than a microsecond; a store does not round"),
        )
        problems = {
            row: f"date={str(numbers[row].as_py())!r}: {text}"
            for mask, text in texts
            for row in pc.indices_nonzero(pc.fill_null(mask, False)).to_pylist()
        }
        return found, problems


def epoch_of(numbers: pa.Array) -> Epoch | None:
    """Return the only reading of numbers as likely dates, None if there is none or another."""
    low, high = pc.min_max(numbers).as_py().values()
    fits = [
        Epoch(name, per)
        for name, per in _UNITS.items()
        if _SOONEST * per <= low and high < _LATEST * per
    ]
    return fits[0] if len(fits) == 1 and calendar_of(low, high) is None else None


def calendar_of(low: int, high: int) -> str | None:
    """Return the form in which two numbers are digits of a date and time, None if they are not."""
    form = _FORMS.get(len(str(low)))
    if form is None or len(str(high)) != len(str(low)):
        return None
    return form if all(map(_is_likely, (low, high), (form, form))) else None


def is_calendar_only(numbers: pa.Array) -> str | None:
    """Return the form of digits of a date and time if no unit makes likely dates of them."""
    low, high = pc.min_max(numbers).as_py().values()
    form = calendar_of(low, high)
    is_epoch = any(_SOONEST * per <= low and high < _LATEST * per for per in _UNITS.values())
    return None if is_epoch else form


def _is_likely(number: int, form: str) -> bool:
    try:
        moment = datetime.strptime(str(number), form)
    except ValueError:
        return False
    return 1980 <= moment.year < 2100
