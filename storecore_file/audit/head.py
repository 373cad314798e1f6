"""The head of a log: where its chain ends, in two entries of a small file beside it.

    audit/decisions/.head      number and hash of the last record, its file and that file's length

The head names a file before the first record goes into it, whole and synced. Then it follows each
record without a sync of its own, in the older of the two entries: a crash may tear that one, but
then the record that it named is in the log, and the other entry is whole. So an entry that is
damaged is what a crash left if the log goes on behind the other one, and else it is reported.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from storecore.audit.records import Link
from storecore.errors import StorageError
from storecore_file.fs.disk import Disk
from storecore_file.fs.handles import Note
from storecore_file.fs.seal import sealed, unsealed

_ENTRY = 512  # bytes, a sector: what a disk writes whole or not at all
_log = logging.getLogger("storecore")


class Head(Struct, frozen=True):
    """The end of a chain, and the file and the length at which it was.

    `unproven` is the number of the first record that was logged when no head could rule out that
    others had been cut off before it (0: there is none).
    """

    seq: int
    hash: str
    file: str
    length: int
    unproven: int = 0

    @property
    def link(self) -> Link:
        """The end itself."""
        return Link(self.seq, self.hash)


_ENCODER, _DECODER = msgspec.json.Encoder(), msgspec.json.Decoder(Head)


class Heads(NamedTuple):
    """The whole entries of a head file, the newest first.

    `first_is_newest` says whether the file begins with the newest of them.
    """

    whole: tuple[Head, ...]
    damaged: bool
    first_is_newest: bool = False

    @property
    def newest(self) -> Head | None:
        """The end of the chain as far as it is known here."""
        return self.whole[0] if self.whole else None

    def may_hide_a_cut(self, end: Link) -> bool:
        """Tell whether a log that ends here may have been longer, for all that the heads say."""
        if self.newest is None:
            return end.seq > 0 or self.damaged
        return self.damaged and end.seq <= self.newest.seq


class HeadFile:
    """The head of one log. Callers hold the log's lock."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self._disk = disk
        self._note = Note(path)
        self._next_entry = 0

    def close(self) -> None:
        """Let go of the file."""
        self._note.close()

    def read(self) -> Heads:
        """Return what is known of the chain's end."""
        self._note.close()  # another process may have begun a new one
        known = self.look()
        self._next_entry = int(known.first_is_newest)
        return known

    def look(self) -> Heads:
        """Return what is known of the chain's end; for a caller who holds no lock, too."""
        content = self._disk.read(self.path) or b""
        entries = [content[:_ENTRY], content[_ENTRY : 2 * _ENTRY]]
        heads = [_decoded(entry) for entry in entries]
        whole = sorted((head for head in heads if head), key=lambda head: head.seq, reverse=True)
        pairs = zip(entries, heads, strict=True)
        damaged = any(entry.strip(b" \0") and not head for entry, head in pairs)
        return Heads(tuple(whole), damaged, bool(heads[0]) and heads[0] == whole[0])

    def begin(self, head: Head) -> None:
        """Put a head in the place of all entries, whole and durable: before a file is begun."""
        self._note.close()
        self._disk.replace(self.path, _encoded(head))
        self._next_entry = 1

    def settle(self) -> None:
        """Make sure that a head that is there was not only renamed, by one that was killed then."""
        self._disk.settle_name(self.path)

    def follow(self, head: Head) -> None:
        """Let the head follow a record that is written: one left behind is healed by the log."""
        try:
            self._note.write(_encoded(head), self._next_entry * _ENTRY)
        except StorageError as error:
            _log.warning("the head of the audit log stays behind: %s", error)
        self._next_entry = 1 - self._next_entry


def _encoded(head: Head) -> bytes:
    return sealed(_ENCODER.encode(head)).ljust(_ENTRY)


def _decoded(entry: bytes) -> Head | None:
    try:
        return _DECODER.decode(unsealed(entry.rstrip(b" \0")))
    except ValueError:
        return None
