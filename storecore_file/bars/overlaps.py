"""Partitions of a series that overlap: which bars count, and which partitions are superseded.

Partitions overlap for a moment while a writer replaces some by others, after it was killed in
between, and after files of another state of the store were copied over it. At each instant the bars
come from the partition of the highest generation whose range includes it (among equals, which only
releases before generations have written, from the narrowest).

A partition is superseded if nothing is lost with it: each newer partition over it was made from it,
or a newer one shows each of its bars unchanged. Any other is an issue: the copies may have been
written to apart from each other. A writer copies it to quarantine before it removes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from storecore_file.bars.kinds import joined, rows_of
from storecore_file.bars.layout import Partition
from storecore_file.bars.partition import PartitionFile


class OpenPartition(NamedTuple):
    """A partition and its open file.

    `partition` may be a piece of it: the same name, a smaller range.
    """

    partition: Partition
    file: PartitionFile


class Older(NamedTuple):
    """A partition that newer ones overlap: whether its bars count, and why it must stay."""

    partition: Partition
    shown: bool
    problem: str | None


def clusters(partitions: Sequence[Partition]) -> Iterator[list[Partition]]:
    """Yield the partitions in order of time that overlap, each with those it is connected with."""
    cluster: list[Partition] = []
    for partition in partitions:
        if cluster and partition.first > max(each.last for each in cluster):
            yield cluster
            cluster = []
        cluster.append(partition)
    if cluster:
        yield cluster


def shown(held: Sequence[OpenPartition]) -> list[OpenPartition]:
    """Return the pieces of partitions whose bars count, in order of time; no two overlap."""
    pieces: list[OpenPartition] = []
    covered: list[tuple[int, int]] = []
    for partition, file in _newest_first(held):
        pieces += [
            OpenPartition(Partition(*gap, partition.name), file) for gap in gaps(partition, covered)
        ]
        covered.append((partition.first, partition.last))
    return sorted(pieces, key=lambda piece: piece.partition)


def older(held: Sequence[OpenPartition]) -> list[Older]:
    """Return what is to say of each partition that newer ones overlap."""
    pieces, ordered = shown(held), _newest_first(held)
    found = []
    for number, one in enumerate(ordered):
        newer = [each for each in ordered[:number] if _overlap(each.partition, one.partition)]
        if newer:
            found.append(_judged(one, newer, pieces))
    return found


def _judged(
    one: OpenPartition, newer: Sequence[OpenPartition], pieces: Sequence[OpenPartition]
) -> Older:
    own = [piece for piece in pieces if piece.partition.name == one.partition.name]
    count = sum(
        len(file.rows(partition.first, partition.last, ["date"])) for partition, file in own
    )
    if all(one.file.identity in each.file.metadata.replaces for each in newer):
        return Older(one.partition, count > 0, None)
    if count:
        problem = f"{count} of its bars are shown, since no newer partition covers their time"
        return Older(one.partition, True, problem)
    hidden = len(_bars([one], one.partition) - _bars(pieces, one.partition))
    differ = f"{hidden} of its bars are not in the newer ones, or differ there"
    return Older(one.partition, False, differ if hidden else None)


def _bars(held: Sequence[OpenPartition], within: Partition) -> set[frozenset[tuple[str, Any]]]:
    """Return the bars in a range, each as its columns that are not null."""
    tables = [
        file.rows(max(partition.first, within.first), min(partition.last, within.last))
        for partition, file in held
        if _overlap(partition, within)
    ]
    return {frozenset(bar.items()) for _, bar in rows_of(joined(tables))}


def _newest_first(held: Sequence[OpenPartition]) -> list[OpenPartition]:
    def age(each: OpenPartition) -> tuple[int, int, str]:
        return (
            -each.file.metadata.generation,
            each.partition.last - each.partition.first,
            each.partition.name,
        )

    return sorted(held, key=age)


def gaps(partition: Partition, covered: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the ranges of a partition that lie in none of some others, in order of time."""
    at = partition.first
    for first, last in sorted(covered):
        if at <= partition.last and at < first:
            yield at, min(first - 1, partition.last)
        at = max(at, last + 1)
    if at <= partition.last:
        yield at, partition.last


def _overlap(one: Partition, other: Partition) -> bool:
    return one.first <= other.last and other.first <= one.last
