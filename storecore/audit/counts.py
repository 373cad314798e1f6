"""How many records a log has, by strategy and run, from its lines: nothing else is decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice

import msgspec

Counts = Counter[tuple[str, str | None]]
"""Numbers of records by strategy and run; the run of the live log is None."""


class _Line(msgspec.Struct, gc=False):
    """The fields of a line that are counted."""

    strategy: str
    run: str | None = None


_AT_ONCE = 1_000
_DECODER = msgspec.json.Decoder(_Line)


def counts_of_all(lines: Iterable[bytes]) -> Counts:
    """Count lines as they come. Raises as `counts_of` does."""
    counts, rest = Counts(), iter(lines)
    while batch := list(islice(rest, _AT_ONCE)):
        counts.update(counts_of(b"\n".join(batch)))
    return counts


def counts_of(lines: bytes) -> Counts:
    """Count some lines. Raises `ValueError` for a line that is no record."""
    return Counter((each.strategy, each.run) for each in _DECODER.decode_lines(lines))
