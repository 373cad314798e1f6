"""Generations: which of two parts of a series was written later, whatever the clock says.

A part's generation is the time of writing in microseconds, or one more than the highest generation
among the parts that it was made from, if that is larger (a hybrid logical clock, Kulkarni and
others, 2014). So a part is newer than what it replaces even after the clock was set back, and a
part for a range that had none is newer than a file that comes back from a copy made before.
"""

from __future__ import annotations

import time
from collections.abc import Iterable


def next_generation(seen: Iterable[int]) -> int:
    """Return a generation for parts that are made from others of these generations."""
    return max(time.time_ns() // 1_000, max(seen, default=0) + 1)
