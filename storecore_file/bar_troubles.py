"""What may be wrong with the files of a symbol's bars, and what is odd about the bars in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from storecore.bar_oddities import oddities
from storecore.errors import CorruptData
from storecore_file.bar_file import Note
from storecore_file.bar_proof import proven
from storecore_file.floor.disk import Disk
from storecore_file.floor.looking import Entry, entries
from storecore_file.floor.names import SYMBOLS, TIMEFRAMES
from storecore_file.parts import Layout, Part, layout_of, parsed
from storecore_file.troubles import (
    ASIDE,
    Trouble,
    guarded,
    listed,
    no_file,
    problem_of,
    trouble_of,
    unexpected,
)

DAILY = "1d"
_LISTINGS = 3  # of a folder whose parts overlap: one may mix what two writes have left
_Proof = tuple[Note, pa.Table]


class Own(NamedTuple):
    """Whose bars belong into a folder: its symbol and timeframe as folders are named."""

    symbol: str
    timeframe: str


def symbol_troubles(disk: Disk, folder: Path) -> Iterator[Trouble | None]:
    """Yield for each file of a symbol, in all timeframes, what is wrong; odd bars too."""
    found, unseen = listed(folder)
    yield from unseen
    if found:
        daily = _series_troubles(disk, folder, Own(folder.name, DAILY), found)
        yield from guarded(folder, daily)
    for entry in found:
        if _may_be_series(entry) and parsed(entry.name) is None:
            own = Own(folder.name, entry.name)
            below = folder / entry.name
            within, unseen = listed(below)
            yield from unseen
            if within:
                yield from guarded(below, _series_troubles(disk, below, own, within))


def _series_troubles(
    disk: Disk, folder: Path, own: Own, listing: list[Entry]
) -> Iterator[Trouble | None]:
    """Yield what is wrong in one folder, the leftovers first: a repair must remove them first.

    For a leftover lies inside the range of another part: were that one moved away, it would count.
    """
    for entry in listing:
        if parsed(entry.name) is None and not (own.timeframe == DAILY and _may_be_series(entry)):
            yield unexpected(folder / entry.name, entry)
    try:
        parts, leftovers = _layout(folder)
    except CorruptData as error:
        yield Trouble("overlapping", Path(str(error.path)), str(error))
        parts, leftovers = [part for part in map(parsed, _names(folder)) if part], []
    lock = folder / ".lock"
    for part in leftovers:
        detail = "an interrupted merge or split has left it behind: it counts for nothing"
        yield Trouble("leftover", folder / part.name, detail, ASIDE, lock, _expect_no_leftover)
    found: list[_Proof] = []
    others = {entry.name: entry for entry in listing if entry.type != "file"}
    for part in parts:
        path, check = folder / part.name, partial(_check, found.append, disk, own, part)
        if part.name in others:
            yield no_file(path, others[part.name], ASIDE)
        else:
            problem = problem_of(path, check)
            yield trouble_of(path, problem, ASIDE, lock, check) if problem else None
    yield from guarded(folder, _odd(folder, found))


def _odd(folder: Path, found: list[_Proof]) -> Iterator[Trouble]:
    """Yield what is odd about the bars of a series."""
    for kind, detail in oddities(bars for _, bars in found):
        note = found[0][0]
        yield Trouble(kind, folder, f"{note.symbol} ({note.timeframe}): {detail}")


def _may_be_series(entry: Entry) -> bool:
    return entry.is_folder and not entry.name.startswith(".")


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in entries(folder)]


def _layout(folder: Path) -> Layout:
    for _ in range(_LISTINGS - 1):
        with suppress(CorruptData):
            return layout_of(_names(folder), folder)
    return layout_of(_names(folder), folder)


def _expect_no_leftover(path: Path) -> None:
    if path.name in [part.name for part in _layout(path.parent).leftovers]:
        raise CorruptData(f"{path}: it lies within another part", path)


def _check(take: Callable[[_Proof], object], disk: Disk, own: Own, part: Part, path: Path) -> None:
    """Take in the bars of a part that is whole and in its place; else raise `StoreError`."""
    content = disk.read(path)
    if content is None:
        return  # merged or split away meanwhile
    proof = proven(content, path, part)
    if (found := Own(SYMBOLS.encode(proof[0].symbol), _folder_of(proof[0].timeframe))) != own:
        raise CorruptData(
            f"{path}: it holds bars of the series {found.symbol}/{found.timeframe}", path
        )
    take(proof)


def _folder_of(timeframe: str) -> str:
    return DAILY if timeframe == DAILY else TIMEFRAMES.encode(timeframe)
