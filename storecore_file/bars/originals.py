"""What proves that a partition is an original that a rename has copied, or a copy that it has made.

The intent of a rename holds the identities of the partitions that it copies, and the generation of
its copies. Settling it removes only what these prove: other files have come since, from a release
that does not know renames, or from a backup that was laid over the store.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from storecore.errors import CorruptData, StorageError
from storecore_file.bars.layout import parsed
from storecore_file.bars.overlaps import clusters, older
from storecore_file.bars.partition import PartitionFile
from storecore_file.bars.series import Series
from storecore_file.fs.disk import Disk
from storecore_file.rename_intent import Intent


class Sorted(NamedTuple):
    """The partitions in a folder of a rename: those that it may remove, and others."""

    proven: list[Path]
    others: list[Path]


class End(NamedTuple):
    """What the end of a partition says: its generation, and the identity of its content."""

    generation: int
    identity: int


_UNKNOWN = End(-1, -1)


def originals(series: Series) -> dict[str, End]:
    """Return what the end of each partition of a series says, by name.

    Raises `StorageError` if one of another state lies below newer ones: its bars, which no copy
    would have, would be removed with it.
    """
    found: dict[str, End] = {}
    for cluster in clusters(series.layout().partitions):
        with series.held(cluster) as held:
            for partition, _, problem in older(held):
                if problem is not None:
                    raise _of_another_state(series.path(partition), problem)
            for partition, file in held:
                found[partition.name] = End(file.metadata.generation, file.identity)
    return found


def sorted_copies(disk: Disk, own: Path, copies: Path, intent: Intent, name: str) -> Sorted:
    """Sort what lies under the new name, if the rename is taken back.

    A copy has the generation of the rename, and may go as long as all originals are there.
    """
    known = intent.originals.get(name, {})
    ends = _ends(disk, own)
    are_there = bool(known) and all(
        each in ends and ends[each].identity == identity for each, identity in known.items()
    )
    found = _ends(disk, copies)
    proven = {
        each for each, end in found.items() if are_there and end.generation == intent.generation
    }
    return _sorted(copies, found, proven)


def sorted_originals(disk: Disk, own: Path, copies: Path, intent: Intent, name: str) -> Sorted:
    """Sort what lies under the old name, if the rename is finished.

    An original may go as long as something lies under the new name.
    """
    known = intent.originals.get(name, {})
    is_copied = bool(_ends(disk, copies))
    found = _ends(disk, own)
    proven = {each for each, end in found.items() if is_copied and end.identity == known.get(each)}
    return _sorted(own, found, proven)


def _sorted(folder: Path, found: Iterable[str], proven: Collection[str]) -> Sorted:
    return Sorted(
        [folder / name for name in found if name in proven],
        [folder / name for name in found if name not in proven],
    )


def _ends(disk: Disk, folder: Path) -> dict[str, End]:
    """Return what the end of each partition in a folder says, by name."""
    return {name: _end_of(disk, folder / name) for name in filter(parsed, disk.names(folder))}


def _end_of(disk: Disk, path: Path) -> End:
    """Return what the end of a partition says; nothing is proven of one that is damaged or gone."""
    opened = disk.opened(path)
    if opened is not None:
        with opened as file, suppress(CorruptData):
            bars = PartitionFile(file)
            return End(bars.metadata.generation, bars.identity)
    return _UNKNOWN


def _of_another_state(path: Path, problem: str) -> StorageError:
    return StorageError(
        f"{path}: of another state than newer ones: {problem}; run `storecore compact`, which "
        "keeps it in quarantine, then rename the symbol again",
        path,
    )
