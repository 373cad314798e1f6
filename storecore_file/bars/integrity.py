"""What may be wrong with the files of a symbol's bars, and what is odd about the bars in them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from storecore.bars.anomalies import oddities
from storecore.errors import CorruptData
from storecore_file.bars.journal_integrity import DAILY, JournalProof, Own, Piece
from storecore_file.bars.layout import Layout, Part, layout_of, parsed
from storecore_file.bars.overlaps import Held, clusters, older, shown
from storecore_file.bars.partition import Note
from storecore_file.bars.partition_reader import BarFile, Content
from storecore_file.bars.proof import proven
from storecore_file.fs.disk import Disk
from storecore_file.fs.names import SYMBOLS, TIMEFRAMES
from storecore_file.fs.stat import Entry, entries
from storecore_file.integrity import (
    ASIDE,
    Problem,
    Trouble,
    guarded,
    listed,
    no_file,
    problem_of,
    trouble_of,
    unexpected,
)

_NEXT = "the next write to the series, or `storecore compact`, brings them together"
_LOOKS = 5  # at a series whose parts are replaced meanwhile


class _Proof(NamedTuple):
    """A part that is whole: what it says of itself, its bars, and where parts overlap its bytes."""

    part: Part
    note: Note
    bars: pa.Table
    content: bytes | None


class _Look(NamedTuple):
    """What was found in the folder of a series: its parts, whole and damaged."""

    layout: Layout
    proofs: list[_Proof]
    damaged: dict[Part, Problem]


class SeriesProof:
    """Looks over the files of symbols, and takes their parts down for the journal's proof."""

    def __init__(self, disk: Disk, journal: JournalProof) -> None:
        self._disk = disk
        self._journal = journal

    def symbol_troubles(self, folder: Path) -> Iterator[Trouble | None]:
        """Yield for each file of a symbol, in all timeframes, what is wrong; odd bars too."""
        found, unseen = listed(folder)
        yield from unseen
        if found:
            daily = self._series_troubles(folder, Own(folder.name, DAILY), found)
            yield from guarded(folder, daily)
        for entry in found:
            if _may_be_series(entry) and parsed(entry.name) is None:
                yield from self._below(folder / entry.name, Own(folder.name, entry.name))

    def _below(self, folder: Path, own: Own) -> Iterator[Trouble | None]:
        within, unseen = listed(folder)
        yield from unseen
        if within:
            yield from guarded(folder, self._series_troubles(folder, own, within))

    def _series_troubles(
        self, folder: Path, own: Own, listing: list[Entry]
    ) -> Iterator[Trouble | None]:
        """Yield what is wrong in one folder, the leftovers first: a repair must remove them first.

        For a leftover lies beside a newer part: were that one moved away, it would count.
        """
        for entry in listing:
            if parsed(entry.name) is None and not (
                own.timeframe == DAILY and _may_be_series(entry)
            ):
                yield unexpected(folder / entry.name, entry)
        look = self._steady_look(folder, own)
        held = _held(folder, look)
        yield from self._overlap_troubles(folder, own, look, held)
        others = {entry.name: entry for entry in listing if entry.type != "file"}
        for part in look.layout.parts:
            if part.name in others:
                yield no_file(folder / part.name, others[part.name], ASIDE)
            else:
                yield self._damage(folder, own, part, look.damaged.get(part))
        self._take(own, look, held)
        yield from guarded(folder, _odd(folder, look, held))

    def _overlap_troubles(
        self, folder: Path, own: Own, look: _Look, held: list[Held]
    ) -> Iterator[Trouble]:
        """Yield what is to say of parts that newer ones overlap, or damaged ones."""
        lock, check = folder / ".lock", partial(self._expect_no_leftover, own)
        for part, is_shown, problem in older(held):
            path = folder / part.name
            if problem is not None:
                detail = f"of another state than newer partitions over it: {problem}; {_NEXT}"
                yield Trouble("older", path, f"{detail}, and keeps this one in aside/")
            elif is_shown:
                yield Trouble("leftover", path, f"an interrupted split has left it behind; {_NEXT}")
            else:
                detail = "a newer partition has replaced it: it counts for nothing"
                yield Trouble("leftover", path, detail, ASIDE, lock, check)
        for cluster in clusters(look.layout.parts):
            broken = [part.name for part in cluster if part in look.damaged]
            for part in cluster if broken else []:
                if part.name not in broken:
                    detail = (
                        f"overlaps {broken[0]}, which cannot be read: either may be the newer one"
                    )
                    yield Trouble("overlapping", folder / part.name, detail)

    def _damage(
        self, folder: Path, own: Own, part: Part, problem: Problem | None
    ) -> Trouble | None:
        if problem is None:
            return None
        path, check = folder / part.name, partial(self._proven, own, part, False)

        def moved(path: Path) -> None:
            self._journal.forget(own, part)

        lock = folder / ".lock"
        return trouble_of(path, problem, ASIDE, lock, check, moved)

    def _take(self, own: Own, look: _Look, held: list[Held]) -> None:
        """Take down what of each part counts, for the proof of the journal."""
        pieces = [Piece(part, file.note) for part, file in shown(held)]
        pieces = pieces or [Piece(proof.part, proof.note) for proof in look.proofs]
        self._journal.take(own, [*(Piece(part, None) for part in look.damaged), *pieces])

    def _steady_look(self, folder: Path, own: Own) -> _Look:
        """Look at the parts until none has come or gone meanwhile."""
        look = self._look(folder, own)
        for _ in range(_LOOKS):
            if look.layout == layout_of(_names(folder)):
                break
            look = self._look(folder, own)
        return look

    def _look(self, folder: Path, own: Own) -> _Look:
        layout, proofs = layout_of(_names(folder)), list[_Proof]()
        damaged = dict[Part, Problem]()
        for part in layout.parts:

            def check(path: Path, part: Part = part) -> None:
                proof = self._proven(own, part, layout.overlap, path)
                proofs.extend([proof] if proof else [])

            problem = problem_of(folder / part.name, check)
            if problem is not None:
                damaged[part] = problem
        return _Look(layout, proofs, damaged)

    def _expect_no_leftover(self, own: Own, path: Path) -> None:
        """Raise `CorruptData` if a part still counts for nothing beside newer ones."""
        look = self._look(path.parent, own)
        for part, is_shown, problem in older(_held(path.parent, look)):
            if part.name == path.name and problem is None and not is_shown:
                raise CorruptData(f"{path}: a newer partition has replaced it", path)

    def _proven(self, own: Own, part: Part, keep: bool, path: Path) -> _Proof | None:
        """Return a part that is whole and in its place, None where it is gone; or raise."""
        content = self._disk.read(path)
        if content is None:
            return None  # merged or split away meanwhile
        note, bars = proven(content, path, part)
        if (found := Own(SYMBOLS.encode(note.symbol), _folder_of(note.timeframe))) != own:
            raise CorruptData(
                f"{path}: it holds bars of the series {found.symbol}/{found.timeframe}", path
            )
        return _Proof(part, note, bars, content if keep else None)


def _odd(folder: Path, look: _Look, held: list[Held]) -> Iterator[Trouble]:
    """Yield the oddities in the bars of a series that count."""
    tables = [piece.file.rows(*piece.part[:2]) for piece in shown(held)]
    for kind, detail in oddities(tables or (proof.bars for proof in look.proofs)):
        note = look.proofs[0].note
        yield Trouble(kind, folder, f"{note.symbol} ({note.timeframe}): {detail}")


def _held(folder: Path, look: _Look) -> list[Held]:
    """Return the whole parts of a folder where some overlap."""
    return [
        Held(proof.part, BarFile(Content(folder / proof.part.name, proof.content)))
        for proof in look.proofs
        if proof.content is not None
    ]


def _may_be_series(entry: Entry) -> bool:
    return entry.is_folder and not entry.name.startswith(".")


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in entries(folder)]


def _folder_of(timeframe: str) -> str:
    return DAILY if timeframe == DAILY else TIMEFRAMES.encode(timeframe)
