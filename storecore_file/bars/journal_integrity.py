"""Holds what the journal says against what the parts say: whether either is of an older state.

A copy of a store may have taken the parts before the journal was folded and the journal after it,
or have laid an older journal beside newer parts. Then rows lie in neither, or bars that were
deleted come back; reads cannot know, but the parts and the record of past files contradict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from storecore.errors import StoreError
from storecore_file.bars.journal import Journal
from storecore_file.bars.journal_lines import HOUR, Folded, Key, Position, Row, is_dated, is_in
from storecore_file.bars.layout import Part
from storecore_file.bars.partition import Note
from storecore_file.bars.retired_journals import Past, rows_of
from storecore_file.fs.names import SYMBOLS, TIMEFRAMES
from storecore_file.integrity import FORGET, Trouble

DAILY = "1d"
_NAMED = 20  # series in one message


class Own(NamedTuple):
    """Whose bars belong into a folder: its symbol and timeframe as folders are named."""

    symbol: str
    timeframe: str


class Piece(NamedTuple):
    """A part, or what of it counts, and what it says of itself; None where that is damaged."""

    part: Part
    note: Note | None


class JournalProof:
    """The parts of a store, as they are looked over, beside its journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._before = _past(journal)
        self._taken = journal.taken()
        self._pieces: dict[Own, list[tuple[Part, Folded | None]]] = {}

    def take(self, own: Own, pieces: Sequence[Piece]) -> None:
        """Take in the parts of a series, or what counts of them."""
        self._pieces[own] = [(part, None if note is None else note.folded) for part, note in pieces]

    def forget(self, own: Own, part: Part) -> None:
        """Expect no rows any more in the range of a part that is moved away."""
        self._journal.forget(
            lambda key, hour: _own(key) == own and part.first <= hour * HOUR <= part.last
        )

    def troubles(self) -> Iterator[Trouble]:
        """Yield what contradicts, once all parts have been taken in.

        Nothing, if the record of past files could not be read: that is an issue of its own.
        """
        try:
            named, lines = self._journal.named(), self._journal.lines()
            after = self._journal.past()
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
        """Tell whether the part of an hour has not taken in a row, or is not there."""
        number, line = at
        for part, folded in self._pieces.get(_own(key), ()):
            if part.first <= hour * HOUR <= part.last:
                return folded is not None and not is_in(past.named(number), line, folded)
        return True

    def _lacking(self, lacking: set[tuple[Key, int]]) -> Trouble:
        series = sorted({key for key, _ in lacking})
        named = ", ".join(f"{symbol} ({timeframe})" for symbol, timeframe in series[:_NAMED])
        more = f" and {len(series) - _NAMED} others" if len(series) > _NAMED else ""
        detail = (
            f"the partitions of {named}{more} lack bars that were folded out of the journal: they "
            "are of an older state than it; copy them again, or `storecore repair` gives these up"
        )

        def give_up(path: Path) -> None:
            self._journal.forget(lambda key, hour: (key, hour) in lacking)

        return Trouble("lacking", self._journal.record_path, detail, FORGET, moved=give_up)

    def _outdated(self) -> Iterator[Trouble]:
        """Yield that rows count again which parts had taken in, where others are in their place."""
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
                    yield Trouble("older", self._journal.folder / name, detail)

    def _has(self, key: Key, row: Row) -> bool:
        """Tell whether the part in whose range a row lies has taken it in, or is damaged."""
        return any(
            part.first <= row.values[0] <= part.last
            and (folded is None or is_in(row.journal, row.line, folded))
            for part, folded in self._pieces.get(_own(key), ())
        )

    def _older(self, past: Past, lines: dict[str, int], named: list[str]) -> Iterator[Trouble]:
        """Yield that there were files of which the journal does not know, or longer ones."""
        found = [(name, 1) for name in named]
        found += [
            each
            for pieces in self._pieces.values()
            for _, folded in pieces
            for each in (folded or {}).items()
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

            yield Trouble("older", self._journal.folder, detail, FORGET, moved=give_up)


def _past(journal: Journal) -> Past | None:
    try:
        return journal.past()
    except StoreError:
        return None


def _own(key: Key) -> Own:
    symbol, timeframe = key
    return Own(
        SYMBOLS.encode(symbol), DAILY if timeframe == DAILY else TIMEFRAMES.encode(timeframe)
    )
