"""Streams the bars of many series in order of time, under a bound of memory.

The ends of the partitions tell how many bars lie where; so the time is cut into windows of about as
many bars as may be held, before any is read. A window that holds more than it seemed is cut in two.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from math import ceil

import pyarrow as pa

from storecore.bars.table import SERIES, owned
from storecore.values.times import TimeRange
from storecore_file.bars.parallel import in_parallel
from storecore_file.bars.partition import Group
from storecore_file.bars.series import Series

ROW_BYTES = 320  # of a bar that is read, copied, sorted and handed out: some six copies
_COLUMN = 8  # bytes of a value
_AT_ONCE = 64
Named = list[tuple[str, pa.Table]]


def stream(
    series: list[Series], span: TimeRange, columns: Collection[str], max_bytes: int
) -> Iterator[Named]:
    """Yield a series table a symbol for windows that follow each other in time."""
    size = len({*SERIES.names, *columns})
    max_rows = max(1, max_bytes * len(SERIES) // (ROW_BYTES * size))
    groups = [group for each in series for group in each.groups(span)]
    first = span.first
    for last in (*cuts(groups, max_rows), span.last):
        if first <= last <= span.last:
            yield from _window(series, TimeRange(first, last, span.aware), columns, max_rows)
            first = last + 1


def cuts(groups: Iterable[Group], max_rows: int) -> Iterator[int]:
    """Yield the instants up to which `max_rows` bars each lie, taking groups for even."""
    changes = []
    for rows, first, last in groups:
        rate = rows / (last + 1 - first)
        changes += [(first, rate), (last + 1, -rate)]
    at, rate, held = 0, 0.0, 0.0
    for time, change in sorted(changes):
        while rate > 0 and held + rate * (time - at) > max_rows:
            at += max(1, ceil((max_rows - held) / rate))
            held = 0.0
            yield at - 1
        held += rate * (time - at)
        at, rate = time, max(0.0, rate + change)


def _window(
    series: list[Series], span: TimeRange, columns: Collection[str], max_rows: int
) -> Iterator[Named]:
    found: Named = []
    held = 0
    for start in range(0, len(series), _AT_ONCE):
        some = series[start : start + _AT_ONCE]
        for each, bars in zip(
            some, in_parallel(lambda one: owned(one.read(span, columns)), some), strict=True
        ):
            found.append((each.symbol, bars))
            held += max(len(bars), bars.nbytes // (_COLUMN * bars.num_columns))  # texts may be long
        if held > 2 * max_rows and span.first < span.last:
            middle = (span.first + span.last) // 2
            yield from _window(series, span._replace(last=middle), columns, max_rows)
            yield from _window(series, span._replace(first=middle + 1), columns, max_rows)
            return
    if held:
        yield found
