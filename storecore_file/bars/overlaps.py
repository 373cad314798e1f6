"""Parts of a series that overlap: which bars count, and which part is proven to be superseded.

Parts overlap for a moment while a writer replaces some by others, after it was killed in between,
and after files of another state of the store were copied over it. At each instant the bars come
from the part of the highest generation whose range includes it (among equals, which only releases
before generations have written, from the narrowest).

A part is superseded if nothing is lost with it: each newer part over it was made from it, or each
of its bars is shown by a newer one just so. Any other is an issue: the copies may have been written
to apart from each other. No writer removes such a part; it is copied into quarantine first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from storecore.bars.table import bar_columns_of, joined
from storecore_file.bars.layout import Part
from storecore_file.bars.partition_reader import BarFile


class Held(NamedTuple):
    """A part and its open file. `part` may be a piece of it: the same name, a smaller range."""

    part: Part
    file: BarFile


class Older(NamedTuple):
    """A part that newer ones overlap: whether bars of it count, and why it may not be removed."""

    part: Part
    shown: bool
    problem: str | None


def clusters(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Yield the parts in order of time that overlap, each with those it is connected with."""
    cluster: list[Part] = []
    for part in parts:
        if cluster and part.first > max(each.last for each in cluster):
            yield cluster
            cluster = []
        cluster.append(part)
    if cluster:
        yield cluster


def shown(held: Sequence[Held]) -> list[Held]:
    """Return the pieces of parts whose bars count, in order of time; no two overlap."""
    pieces: list[Held] = []
    covered: list[tuple[int, int]] = []
    for part, file in _newest_first(held):
        pieces += [Held(Part(*gap, part.name), file) for gap in gaps(part, covered)]
        covered.append((part.first, part.last))
    return sorted(pieces, key=lambda piece: piece.part)


def older(held: Sequence[Held]) -> list[Older]:
    """Return what is to say of each part that newer ones overlap."""
    pieces, ordered = shown(held), _newest_first(held)
    found = []
    for number, one in enumerate(ordered):
        newer = [each for each in ordered[:number] if _overlap(each.part, one.part)]
        if newer:
            found.append(_judged(one, newer, pieces))
    return found


def _judged(one: Held, newer: Sequence[Held], pieces: Sequence[Held]) -> Older:
    own = [piece for piece in pieces if piece.part.name == one.part.name]
    count = sum(len(file.rows(part.first, part.last, ["date"])) for part, file in own)
    if all(one.file.identity in each.file.note.replaces for each in newer):
        return Older(one.part, count > 0, None)
    if count:
        problem = f"{count} of its bars are shown, since no newer partition covers their time"
        return Older(one.part, True, problem)
    hidden = len(_bars([one], one.part) - _bars(pieces, one.part))
    differ = f"{hidden} of its bars are not in the newer ones, or differ there"
    return Older(one.part, False, differ if hidden else None)


def _bars(held: Sequence[Held], within: Part) -> set[tuple[float, ...]]:
    """Return the bars in a range, as tuples of numbers."""
    tables = [
        file.rows(max(part.first, within.first), min(part.last, within.last))
        for part, file in held
        if _overlap(part, within)
    ]
    return set(zip(*bar_columns_of(joined(tables)), strict=True))


def _newest_first(held: Sequence[Held]) -> list[Held]:
    def age(each: Held) -> tuple[int, int, str]:
        return -each.file.note.generation, each.part.last - each.part.first, each.part.name

    return sorted(held, key=age)


def gaps(part: Part, covered: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the ranges of a part that lie in none of some others, in order of time."""
    at = part.first
    for first, last in sorted(covered):
        if at <= part.last and at < first:
            yield at, min(first - 1, part.last)
        at = max(at, last + 1)
    if at <= part.last:
        yield at, part.last


def _overlap(one: Part, other: Part) -> bool:
    return one.first <= other.last and other.first <= one.last
