"""Dates of a row group in a range, decoded without those that are not asked for.

Arrow decodes all of a column, by a reader that takes longer to make than to use. Series that do not
begin on the same day have dates of their own in each row group, so a question about a universe
would wait for hundreds of readers. But trading days repeat themselves: the same few differences,
packed into the same bytes, which are unpacked once, whatever series they are of.

A page has the first date, then blocks of differences: the least one, and from it the others, in
miniblocks, each packed with as few bits as it needs.
https://parquet.apache.org/docs/file-format/data-pages/encodings/ (DELTA_BINARY_PACKED)
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from functools import cache, lru_cache
from itertools import accumulate


def between(page: bytes, first: int, last: int) -> tuple[int, array[int]]:
    """Return how many dates of a page, which ascend, are before a range, and those in it."""
    (block, number, rows, date), at = _numbers(page, 0, 4)
    size, date, left = block // number, _signed(date), rows - 1
    start, found = int(date < first), [date] if first <= date <= last else []
    while left > 0 and date <= last:
        (least,), widths = _numbers(page, at, 1)
        least, at = _signed(least), widths + number
        for width in page[widths:at]:
            packed, at = page[at : at + width * size // 8], at + width * size // 8
            end = date + least * size + _total(packed, size) if left >= size else last
            if end < first:
                start, date = start + size, end
            else:
                since, count = _since(packed, size, least), min(left, size)
                low = bisect_left(since, first - date, 0, count)
                high = bisect_right(since, last - date, low, count)
                found += [date + each for each in since[low:high]]
                start, date = start + low, date + since[count - 1]
            left -= size
            if left <= 0 or date > last:  # what a block lacks at the end of a page is not stored
                break
    return start, array("q", found)


def _numbers(page: bytes, at: int, count: int) -> tuple[list[int], int]:
    """Return numbers of 7 bits a byte, the lowest first, from a place on; and where they end."""
    found = list[int]()
    while len(found) < count:
        number = shift = 0
        while (byte := page[at]) > 0x7F:
            number, shift, at = number | (byte & 0x7F) << shift, shift + 7, at + 1
        found.append(number | byte << shift)
        at += 1
    return found, at


def _signed(number: int) -> int:
    """Return a number whose bit 0 is its sign."""
    return number >> 1 if not number & 1 else ~(number >> 1)


@lru_cache(maxsize=8_192)
def _total(packed: bytes, size: int) -> int:
    """Return the sum of the numbers that are packed into some bytes, of any but a small width.

    Numbers of twice the width have room for all sums, so their sum is what is left of them all
    together, divided by the highest one that there may be: as 9 is cast out of decimal digits.
    """
    number, width = int.from_bytes(packed, "little"), len(packed) * 8 // size
    if width < size.bit_length():
        return sum(_unpacked(packed, size))
    every_other = _every_other(width, size)
    pairs = (number & every_other) + (number >> width & every_other)
    return pairs % ((1 << 2 * width) - 1)


@cache
def _every_other(width: int, size: int) -> int:
    """Return the bits of every other one of some numbers."""
    mask = (1 << width) - 1
    return sum(mask << width * place for place in range(0, size, 2))


@lru_cache(maxsize=2_048)
def _since(packed: bytes, size: int, least: int) -> tuple[int, ...]:
    """Return how long after the date before a miniblock each of its dates is."""
    return tuple(accumulate([least + each for each in _unpacked(packed, size)]))


def _unpacked(packed: bytes, size: int) -> list[int]:
    number, width = int.from_bytes(packed, "little"), len(packed) * 8 // size
    mask = (1 << width) - 1
    return [number >> width * place & mask for place in range(size)]
