"""Checks the files of a symbol's bars byte by byte, and looks for anomalies in the bars."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import pyarrow as pa
import pyarrow.parquet as pq

from storecore.bars.anomalies import Seen, anomalies_of, seen
from storecore.bars.extra import extra_names, unified
from storecore.bars.table import instants_of
from storecore.errors import CorruptData, InvalidData
from storecore_file.bars.journal_integrity import DAILY, JournalProof, Own, Piece
from storecore_file.bars.layout import MARK, Layout, Partition, layout_of, parsed
from storecore_file.bars.overlaps import OpenPartition, clusters, older, shown
from storecore_file.bars.partition import (
    MAGIC,
    WITH_FURTHER,
    Content,
    Metadata,
    PartitionFile,
    groups_of,
    metadata_start,
    schema_of,
)
from storecore_file.fs.disk import Disk
from storecore_file.fs.names import SYMBOLS, TIMEFRAMES
from storecore_file.fs.seal import decode_errors
from storecore_file.fs.stat import Entry, entries
from storecore_file.integrity import (
    QUARANTINE,
    UNCHECKED,
    Files,
    Issue,
    folder_lock,
    guarded,
    issue_of,
    listed,
    not_a_file,
    unexpected,
)
from storecore_file.rename_intent import MARK as RENAMING


def proven(content: bytes, path: Path, partition: Partition) -> tuple[Metadata, pa.Table]:
    """Return the metadata and the bars of a partition, as any reader of Parquet sees them.

    Raises `CorruptData` if a byte is damaged or the content does not match the metadata,
    `StorageError` if the file could not be checked.
    """
    bars = PartitionFile(Content(path, content))
    bars.check_range(partition.first, partition.last)
    with decode_errors(path, "file of bars"):
        _check_bytes(bars.metadata, content)
        with pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True) as file:
            table = file.read(use_threads=False)
        _check_bars(bars.metadata, table)
        bars.recorded().runs()
    return bars.metadata, table.drop_columns(["symbol"])


def _check_bytes(metadata: Metadata, content: bytes) -> None:
    if content[:4] != MAGIC or content[-4:] != MAGIC:
        raise ValueError("it does not begin and end as a Parquet file does")
    view = memoryview(content)
    starts = list(accumulate((size for size, _ in metadata.chunks), initial=len(MAGIC)))
    if starts[-1] != metadata_start(view):
        raise ValueError("it holds bytes that are of no column")
    for (start, end), (_, checksum) in zip(pairwise(starts), metadata.chunks, strict=True):
        if crc32(view[start:end]) != checksum:
            raise ValueError(f"the checksum of bytes {start} to {end} is wrong")


def _check_bars(metadata: Metadata, table: pa.Table) -> None:
    nulls = metadata.version >= WITH_FURTHER and table["volume"].null_count > 0
    if table.schema != schema_of(metadata.columns, nulls):
        raise ValueError(f"its columns are {table.schema}")
    if table["symbol"].unique().to_pylist() not in ([], [metadata.symbol]):
        raise ValueError(f"it holds bars of other symbols than {metadata.symbol!r}")
    dates = instants_of(table)
    if any(one >= other for one, other in pairwise(dates)) or groups_of(table) != metadata.groups:
        raise ValueError("its bars are not in order of time, one a date")


_NEXT = "the next write to the series, or `storecore compact`, brings them together"
_LOOKS = 5  # at a series whose partitions are replaced meanwhile


class _Proof(NamedTuple):
    """A whole partition: its metadata and, if partitions overlap, its bytes.

    Of its bars only what the checks of the whole series need: their further columns, and anomalies.
    """

    partition: Partition
    metadata: Metadata
    further: pa.Table
    seen: Seen
    content: bytes | None


class _Look(NamedTuple):
    """What was found in the folder of a series: its partitions, whole and damaged."""

    layout: Layout
    proofs: list[_Proof]
    damaged: dict[Partition, Issue]


class SeriesProof:
    """Checks the files of symbols, and passes their partitions on to the check of the journal."""

    def __init__(self, disk: Disk, journal: JournalProof) -> None:
        self._disk = disk
        self._journal = journal

    def symbol_issues(self, folder: Path) -> Iterator[Issue | None]:
        """Yield the issue of each file of a symbol, in all timeframes, and anomalies of bars."""
        found, unseen = listed(folder)
        yield from unseen
        if found:
            daily = self._series_issues(folder, Own(folder.name, DAILY), found)
            yield from guarded(folder, daily)
        for entry in found:
            if _may_be_series(entry) and parsed(entry.name) is None:
                yield from self._below(folder / entry.name, Own(folder.name, entry.name))

    def _below(self, folder: Path, own: Own) -> Iterator[Issue | None]:
        within, unseen = listed(folder)
        yield from unseen
        if within:
            yield from guarded(folder, self._series_issues(folder, own, within))

    def _series_issues(
        self, folder: Path, own: Own, listing: list[Entry]
    ) -> Iterator[Issue | None]:
        """Yield the issues of one folder, the leftovers first: a repair must remove them first.

        A leftover lies beside a newer partition: if a repair moved that one, the leftover would
        count.
        """
        for entry in listing:
            if not _is_known(entry) and not (own.timeframe == DAILY and _may_be_series(entry)):
                yield unexpected(folder / entry.name, entry)
        look = self._steady_look(folder, own)
        held = _held(folder, look)
        yield from self._overlap_issues(folder, own, look, held)
        others = {entry.name: entry for entry in listing if entry.type != "file"}
        for partition in look.layout.partitions:
            if partition.name in others:
                yield not_a_file(folder / partition.name, others[partition.name], QUARANTINE)
            else:
                yield look.damaged.get(partition)
        self._take(own, look, held)
        yield from guarded(folder, _odd(folder, look, held))
        yield from guarded(folder, self._disagreeing(folder, look))
        if not look.layout.marked and any(each.metadata.columns for each in look.proofs):
            detail = (
                "reads of a range may lack further columns that others have; `storecore compact`"
            )
            yield Issue("unmarked", folder / MARK, f"the file is missing, so {detail} makes it")

    def _disagreeing(self, folder: Path, look: _Look) -> Iterator[Issue]:
        """Yield that partitions, or rows of the journal, have a column in kinds that differ."""
        tables = [proof.further for proof in look.proofs]
        if look.proofs:
            known = [(proof.partition, proof.metadata) for proof in look.proofs]
            tables.append(self._journal.rows_beside(known))
        try:
            unified(tables)
        except InvalidData as error:
            detail = "they are of different states of the store, and the column is read as text"
            yield Issue("diverged", folder, f"{error}: {detail}")

    def _overlap_issues(
        self, folder: Path, own: Own, look: _Look, held: list[OpenPartition]
    ) -> Iterator[Issue]:
        """Yield the issues of partitions that newer ones overlap, or damaged ones."""
        leftover = Files(None, partial(self._expect_no_leftover, own), QUARANTINE, folder_lock)
        for partition, is_shown, problem in older(held):
            path = folder / partition.name
            if problem is not None:
                detail = f"of another state than newer partitions over it: {problem}; {_NEXT}"
                yield Issue("older", path, f"{detail}, and keeps this one in aside/")
            elif is_shown:
                yield Issue("leftover", path, f"an interrupted split has left it behind; {_NEXT}")
            else:
                detail = "a newer partition has replaced it: it counts for nothing"
                yield Issue("leftover", path, detail, QUARANTINE, leftover)
        for cluster in clusters(look.layout.partitions):
            broken = [partition.name for partition in cluster if partition in look.damaged]
            for partition in cluster if broken else []:
                if partition.name not in broken:
                    detail = (
                        f"overlaps {broken[0]}, which cannot be read: either may be the newer one"
                    )
                    yield Issue("overlapping", folder / partition.name, detail)

    def _take(self, own: Own, look: _Look, held: list[OpenPartition]) -> None:
        """Pass on to the check of the journal what of each partition counts."""
        pieces = [Piece(partition, file.metadata) for partition, file in shown(held)]
        pieces = pieces or [Piece(proof.partition, proof.metadata) for proof in look.proofs]
        self._journal.take(own, [*(Piece(partition, None) for partition in look.damaged), *pieces])

    def _steady_look(self, folder: Path, own: Own) -> _Look:
        """Check the partitions until none has come or gone meanwhile."""
        look = self._look(folder, own)
        for _ in range(_LOOKS):
            if look.layout == layout_of(_names(folder)):
                break
            look = self._look(folder, own)
        return look

    def _look(self, folder: Path, own: Own) -> _Look:
        layout, proofs = layout_of(_names(folder)), list[_Proof]()
        damaged = dict[Partition, Issue]()
        for partition in layout.partitions:

            def check(path: Path, partition: Partition = partition) -> None:
                proof = self._proven(own, partition, layout.overlap, path)
                proofs.extend([proof] if proof else [])

            issue = issue_of(folder / partition.name, Files(None, check))
            if issue is not None:
                damaged[partition] = self._repairable(own, partition, issue)
        return _Look(layout, proofs, damaged)

    def _repairable(self, own: Own, partition: Partition, issue: Issue) -> Issue:
        """Return the issue of a damaged partition with its remedy; an unchecked one has none."""
        if issue.kind == UNCHECKED:
            return issue

        def moved(path: Path) -> None:
            self._journal.forget(own, partition)

        check = partial(self._proven, own, partition, False)
        files = Files(None, check, QUARANTINE, folder_lock, moved=moved)
        return issue._replace(remedy=QUARANTINE, files=files)

    def _expect_no_leftover(self, own: Own, path: Path) -> None:
        """Raise `CorruptData` if a partition still counts for nothing beside newer ones."""
        look = self._look(path.parent, own)
        for partition, is_shown, problem in older(_held(path.parent, look)):
            if partition.name == path.name and problem is None and not is_shown:
                raise CorruptData(f"{path}: a newer partition has replaced it", path)

    def _proven(self, own: Own, partition: Partition, keep: bool, path: Path) -> _Proof | None:
        """Return a partition that is whole and in its place, None if it is gone.

        Raises `CorruptData`.
        """
        content = self._disk.read(path)
        if content is None:
            return None  # merged or split away meanwhile
        metadata, bars = proven(content, path, partition)
        if (found := Own(SYMBOLS.encode(metadata.symbol), _folder_of(metadata.timeframe))) != own:
            raise CorruptData(
                f"{path}: it holds bars of the series {found.symbol}/{found.timeframe}", path
            )
        further = bars.select(["date", *extra_names(bars.column_names)])
        return _Proof(partition, metadata, further, seen(bars), content if keep else None)


def _odd(folder: Path, look: _Look, held: list[OpenPartition]) -> Iterator[Issue]:
    """Yield the anomalies in the bars of a series that count."""
    pieces = [seen(piece.file.rows(*piece.partition[:2])) for piece in shown(held)]
    if not look.proofs:
        return
    metadata = look.proofs[0].metadata
    found = pieces or [proof.seen for proof in look.proofs]
    for kind, detail in anomalies_of(found, metadata.timeframe):
        yield Issue(kind, folder, f"{metadata.symbol} ({metadata.timeframe}): {detail}")


def _held(folder: Path, look: _Look) -> list[OpenPartition]:
    """Return the whole partitions of a folder, if some overlap."""
    return [
        OpenPartition(
            proof.partition, PartitionFile(Content(folder / proof.partition.name, proof.content))
        )
        for proof in look.proofs
        if proof.content is not None
    ]


def _is_known(entry: Entry) -> bool:
    return parsed(entry.name) is not None or (
        entry.name in (MARK, RENAMING) and entry.type == "file"
    )


def _may_be_series(entry: Entry) -> bool:
    return entry.is_folder and not entry.name.startswith(".")


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in entries(folder)]


def _folder_of(timeframe: str) -> str:
    return DAILY if timeframe == DAILY else TIMEFRAMES.encode(timeframe)
