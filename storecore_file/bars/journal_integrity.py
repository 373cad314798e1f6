"""Checks the journal of bars: its files, and what they and the partitions say of each other.

A copy of a store may have taken the partitions before the journal was flushed and the journal after
it, or have laid an older journal beside newer partitions. Then rows lie in neither, or deleted bars
come back. Reads cannot know that, but partitions and the record of retired files contradict.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from storecore.bars.table import EMPTY
from storecore.errors import CorruptData, StoreError
from storecore.values.times import EARLIEST, LATEST
from storecore_file.bars.journal import NAME, Flushed, Journal, is_in
from storecore_file.bars.journal_lines import HOUR, Key, Position, Row, is_dated, number_of
from storecore_file.bars.layout import Partition
from storecore_file.bars.partition import Metadata
from storecore_file.bars.retired_journals import Past, rows_of
from storecore_file.fs.high_water_marks import Mark
from storecore_file.fs.logs import lacks_newline
from storecore_file.fs.names import SYMBOLS, TIMEFRAMES
from storecore_file.fs.seal import is_sealed
from storecore_file.integrity import (
    FORGET,
    QUARANTINE,
    Files,
    Issue,
    agreed,
    folder_issues,
    folder_lock,
    guarded,
    issue_of,
)

DAILY = "1d"
_NAMED = 20  # series in one message
_MARKS = re.compile(r"\.ends")
_TAKEN = re.compile(r"\..+\.jsonl\.taken")
_PAST = re.compile(r"\.past")


def journal_issues(journal: Journal) -> Iterator[Issue | None]:
    """Yield the issue of each file of the journal, None for a whole one."""
    marks = journal.marks.known()  # before the files, which are longer by then
    lines = Files(NAME, lambda path: journal.file(path.name), None, folder_lock, is_sealed)
    known = Files(_MARKS, lambda path: journal.marks.read(), QUARANTINE, folder_lock)
    taken = Files(_TAKEN, lambda path: None, QUARANTINE, folder_lock)
    past = Files(_PAST, lambda path: journal.record.read(), QUARANTINE, folder_lock)
    broken = set()
    for issue in folder_issues(journal.folder, [lines, known, past, taken]):
        broken |= {issue.path.name} if issue and issue.kind != "torn" else set()
        yield issue
    for name in sorted(marks.keys() - broken):
        yield from guarded(journal.folder / name, _cut(journal, name, marks[name]))
    if journal.record.path.name not in broken:
        names = [name for name in journal.files() if name not in broken]
        yield from guarded(journal.folder, _returned(journal, names))


def _cut(journal: Journal, name: str, mark: Mark) -> Iterator[Issue]:
    """Yield an issue if a file has lost its last lines."""

    def look() -> str | None:
        without = lacks_newline(journal.folder / name, is_sealed)
        return mark.issue(journal.file(name).line, "line", without)

    detail = agreed(look)
    if detail and name in journal.marks.known():  # not retired meanwhile
        yield Issue("truncated", journal.folder / name, detail)


def _returned(journal: Journal, names: Sequence[str]) -> Iterator[Issue]:
    """Yield which files are past, or of another copy of the store than the rest."""
    past = journal.record.read()
    before = {name: each.after for name, each in past.files.items()}
    before |= {name: journal.file(name).after for name in names}
    others = list(before)

    def are_twins(one: str, other: str) -> bool:
        after = before[one], before[other]
        return number_of(one) == number_of(other) or (after[0] is not None and after[0] == after[1])

    for name in names:
        path = journal.folder / name
        twins = sorted(each for each in others if each != name and are_twins(each, name))
        if twins:
            detail = f"begun in another copy of the store, written to apart, as {twins[0]} was"
            yield Issue("diverged", path, detail)
        elif name in past:
            files = Files(None, partial(_check_past, journal), QUARANTINE, folder_lock)
            issue = issue_of(path, files)
            detail = "it was flushed: its bars count only where a partition lacks them"
            kind, remedy = ("diverged", QUARANTINE) if issue else ("leftover", None)
            yield Issue(kind, path, issue.detail if issue else detail, remedy, files)


def _check_past(journal: Journal, path: Path) -> None:
    """Raise `CorruptData` if a file is past and holds other lines than when it was flushed."""
    past, known = journal.record.read(), journal.file(path.name)
    if path.name in past and not past.is_whole(path.name, known):
        raise CorruptData(
            f"{path}: it was flushed with other lines than these, in a copy of the store that was "
            "written to apart from this one: bars of it may be in neither",
            path,
        )


class Own(NamedTuple):
    """The series that a folder belongs to: its symbol and timeframe as folders are named."""

    symbol: str
    timeframe: str


class Piece(NamedTuple):
    """A partition, or the range of it that counts, and its metadata; None if it is damaged."""

    partition: Partition
    metadata: Metadata | None


class JournalProof:
    """Compares the partitions of a store, as they are checked, with its journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._before = _past(journal)
        self._taken = journal.taken()
        self._pieces: dict[Own, list[tuple[Partition, Flushed | None]]] = {}

    def take(self, own: Own, pieces: Sequence[Piece]) -> None:
        """Take in the partitions of a series, or what counts of them."""
        self._pieces[own] = [
            (partition, None if metadata is None else metadata.flushed)
            for partition, metadata in pieces
        ]

    def rows_beside(self, known: Sequence[tuple[Partition, Metadata]]) -> pa.Table:
        """Return the bars of a series in the journal that are in none of its partitions."""
        metadata = known[0][1]
        with suppress(StoreError):  # that is an issue of its own
            pending = self._journal.pending((metadata.symbol, metadata.timeframe))
            return pending.table([(each, of.flushed) for each, of in known], EARLIEST, LATEST)
        return EMPTY

    def forget(self, own: Own, partition: Partition) -> None:
        """Expect no rows any more in the range of a partition that is quarantined."""
        self._journal.forget(
            lambda key, hour: _own(key) == own and partition.first <= hour * HOUR <= partition.last
        )

    def issues(self) -> Iterator[Issue]:
        """Yield the contradictions, once all partitions are taken in.

        None if the record of past files cannot be read: that is an issue of its own.
        """
        try:
            named, lines = self._journal.named(), self._journal.lines()
            after = self._journal.record.read()
        except StoreError:
            return
        if self._before is None:
            return
        lacking = {
            (key, hour)
            for key, hour, at in rows_of(self._before)
            if at == after.of(key).get(hour) and self._lacks(key, hour, at, after)
        }
        if lacking:
            yield self._lacking(lacking)
        yield from self._outdated()
        yield from self._older(after, lines, named)

    def _lacks(self, key: Key, hour: int, at: Position, past: Past) -> bool:
        """Return whether the partition of an hour has not taken in a row, or is missing."""
        number, line = at
        for partition, flushed in self._pieces.get(_own(key), ()):
            if partition.first <= hour * HOUR <= partition.last:
                return flushed is not None and not is_in(past.named(number), line, flushed)
        return True

    def _lacking(self, lacking: set[tuple[Key, int]]) -> Issue:
        series = sorted({key for key, _ in lacking})
        named = ", ".join(f"{symbol} ({timeframe})" for symbol, timeframe in series[:_NAMED])
        more = f" and {len(series) - _NAMED} others" if len(series) > _NAMED else ""
        detail = (
            f"the partitions of {named}{more} lack bars that were flushed out of the journal: they "
            "are of an older state than it; copy them again, or `storecore repair` gives these up"
        )

        def give_up(path: Path) -> None:
            self._journal.forget(lambda key, hour: (key, hour) in lacking)

        return Issue("lacking", self._journal.record.path, detail, FORGET, _forgotten(give_up))

    def _outdated(self) -> Iterator[Issue]:
        """Yield that rows count again, since partitions with them were replaced by older ones."""
        for name, taken in self._taken.items():
            for key, line in taken.items():
                lost = [
                    row
                    for row in self._journal.rows(name, key)
                    if row.line <= line and not self._has(key, row)
                ]
                if lost:
                    detail = (
                        f"{len(lost)} of its bars for {key[0]} ({key[1]}) had been taken in by "
                        "partitions that others have been copied over: they may be outdated"
                    )
                    yield Issue("older", self._journal.folder / name, detail)

    def _has(self, key: Key, row: Row) -> bool:
        """Return whether the partition in whose range a row lies has taken it in, or is damaged."""
        return any(
            partition.first <= row.values[0] <= partition.last
            and (flushed is None or is_in(row.journal, row.line, flushed))
            for partition, flushed in self._pieces.get(_own(key), ())
        )

    def _older(self, past: Past, lines: dict[str, int], named: list[str]) -> Iterator[Issue]:
        """Yield that the journal lacks files, or lines of files, that others know."""
        found = [(name, 1) for name in named]
        found += [
            each
            for pieces in self._pieces.values()
            for _, flushed in pieces
            for each in (flushed or {}).items()
        ]
        dated = [(name, line) for name, line in found if is_dated(name) and name not in past]
        unknown = {name: line for name, line in sorted(dated) if name not in lines}
        short = {name for name, line in dated if line > lines.get(name, line)}
        if unknown or short:
            detail = (
                f"it lacks lines, or all, of {', '.join(sorted({*unknown, *short})[:_NAMED])}, "
                "which partitions or other files of it know: it is of another state than they are; "
                "bars may be lacking, or back that were deleted. Copy it again, or `storecore "
                "repair` takes it as it is"
            )

            def give_up(path: Path) -> None:
                self._journal.enter(unknown)

            yield Issue("older", self._journal.folder, detail, FORGET, _forgotten(give_up))


def _past(journal: Journal) -> Past | None:
    try:
        return journal.record.read()
    except StoreError:
        return None


def _own(key: Key) -> Own:
    symbol, timeframe = key
    return Own(
        SYMBOLS.encode(symbol), DAILY if timeframe == DAILY else TIMEFRAMES.encode(timeframe)
    )


def _forgotten(give_up: Callable[[Path], object]) -> Files:
    """Return what a repair does that only forgets something."""
    return Files(None, bool, FORGET, moved=give_up)
