"""Verification of a chain of records: where and how it breaks.

Lines are compared as bytes, so that a million records take a few seconds. A line follows the one
before it if it begins with the next number and ends with the previous hash and the hash of its own
bytes. Only a line that does not is decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from math import inf
from typing import NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from storecore.audit.records import GENESIS, Link, Place, is_whole
from storecore.reports import AuditReport, Finding

_END = len(',"hash":""}') + 64
_EDITED = "the line does not match its hash"


class Lines(Protocol):
    """One file of a log: its place, and its lines, some of which are read at a time."""

    @property
    def place(self) -> str:
        """The place of the file, for a finding."""
        ...

    def window(self, at: int) -> tuple[bytes, int]:
        """Return whole lines, and the position in them at which those from offset `at` on begin.

        They end with the file, or before. At its end there are none behind the position.
        """
        ...


class LogFile(NamedTuple):
    """One file of a log: its place and its lines."""

    place: str
    content: bytes

    def window(self, at: int) -> tuple[bytes, int]:
        """Return the lines, and a position in them."""
        return self.content, at


def windows(file: Lines) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file, each time some of them, with the offset of the first."""
    at = 0
    while True:
        content, start = file.window(at)
        if len(content) <= start:
            return
        yield at, content[start:] if start else content
        at += len(content) - start


class _Cursor(NamedTuple):
    """A position in a file: the beginning of the next line."""

    file: Lines
    at: int

    @property
    def line(self) -> bytes:
        """The next line, newline included; empty at the end of the file."""
        content, start = self.file.window(self.at)
        end = content.find(b"\n", start) + 1
        return content[start : end or len(content)]

    def back(self) -> _Cursor:
        """Return the position of the previous line."""
        *_, (offset, content) = self.before()
        return _Cursor(self.file, offset + content.rfind(b"\n", 0, len(content) - 1) + 1)

    def before(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines before, as `windows` does."""
        for offset, content in windows(self.file):
            if offset >= self.at:
                return
            yield offset, content[: self.at - offset]

    def behind(self) -> Iterator[bytes]:
        """Yield the next lines, as `windows` does."""
        for offset, content in windows(self.file):
            if offset + len(content) > self.at:
                yield content[max(self.at - offset, 0) :]

    def finding(self, kind: str, detail: str) -> Finding:
        """Return a finding about the next line."""
        place = self.file.place
        row = sum(content.count(b"\n") for _, content in self.before()) + 1
        return Finding(kind, f"{place}, line {row}", detail, place, row, self.at)


def follow(files: Sequence[Lines], heads: Iterable[Link]) -> tuple[Link, Finding | None]:
    """Return the end of a chain, and its first break if there is one.

    The files are days, one after another. If the clock was set back, the chain continues in the
    file that has the next number. `heads` are earlier ends of the chain, which it must contain.
    """
    at, here, end = [0] * len(files), 0, GENESIS
    known = {head.seq: head.hash for head in heads}
    while True:
        stop = min((seq for seq in known if seq > end.seq), default=inf)
        for turn in range(len(files)):
            number = (here + turn) % len(files)
            after, new_end = _advance(files[number], at[number], end, stop)
            if after > at[number]:
                break
        else:
            cursors = [_Cursor(*each) for each in zip(files, at, strict=True)]
            return end, _break(cursors, here, end)
        at[number], here = after, number
        if known.get(new_end.seq, new_end.hash) != new_end.hash:
            last = _Cursor(files[here], after).back()
            detail = f"record {new_end.seq} is not the one that the head records"
            prev = last.line[: -_END - 1].rpartition(b'"prev":"')[2][:-1]  # the line is whole
            return Link(new_end.seq - 1, prev.decode()), last.finding("edited", detail)
        end = new_end


def follow_chain(
    lines: Iterable[tuple[str, bytes]], heads: Iterable[Link] = ()
) -> tuple[Link, Finding | None]:
    """Return the end of a chain of (place, line), and the first break if there is one.

    `heads` are earlier ends of the chain, which it must contain.
    """
    placed = list(lines)
    whole = b"".join(line.removesuffix(b"\n").replace(b"\n", b"\0") + b"\n" for _, line in placed)
    end, broken = follow([LogFile("", whole)], heads)
    if broken is not None and broken.line is not None:
        place = placed[broken.line - 1][0]
        broken = replace(broken, place=place, file=None, line=None, offset=None)
    return end, broken


def links(lines: Sequence[bytes], end: Link) -> int:
    """Return the number of leading lines that continue a chain with this end."""
    return _run(b"".join(lines), 0, end, inf)[1].seq - end.seq


def verify_chain(
    log: str, lines: Iterable[tuple[str, bytes]], known: Link | None
) -> tuple[Link, Finding | None]:
    """Return the end of the chain of a log, given as (place, line), and its first break.

    `known` is the end as it is recorded beside the log (None: it is not). With it a cut tail is
    detected.
    """
    end, broken = follow_chain(lines, [known] if known is not None and known.seq else [])
    if broken is None and known is not None and end.seq < known.seq:
        broken = Finding("truncated", log, f"ends at record {end.seq} of {known.seq}")
    return end, broken


def audit_report(
    logs: Mapping[str, Iterable[tuple[str, bytes]]], ends: Mapping[str, Link] | None = None
) -> AuditReport:
    """Verify the chain of each log, given as (place, line) by the name of the log.

    `ends` are the recorded ends of the chains.
    """
    known = {} if ends is None else ends
    verified = {name: verify_chain(name, lines, known.get(name)) for name, lines in logs.items()}
    return AuditReport(
        checked=sum(end.seq for end, _ in verified.values()),
        findings=tuple(broken for _, broken in verified.values() if broken),
        heads={name: end.hash for name, (end, _) in verified.items()},
    )


def _advance(file: Lines, at: int, end: Link, stop: float) -> tuple[int, Link]:
    """Follow a chain from an offset of a file, as `_run` does."""
    while True:
        content, start = file.window(at)
        after, end = _run(content, start, end, stop)
        at += after - start
        if after == start or after < len(content):
            return at, end


def _run(content: bytes, at: int, end: Link, stop: float) -> tuple[int, Link]:
    """Follow a chain from a position in a file, to its end there or to the record `stop`."""
    seq, prev = end.seq, end.hash.encode()
    while seq < stop:
        newline = content.find(b"\n", at)
        body = content[at : max(newline - _END, at)]
        digest = sha256(body).hexdigest().encode()
        if not (
            body.endswith(b'"prev":"%b"' % prev)
            and body.startswith(b'{"seq":%d,' % (seq + 1))
            and content[newline - _END : newline] == b',"hash":"%b"}' % digest
        ):
            break
        at, seq, prev = newline + 1, seq + 1, digest
    return at, Link(seq, prev.decode())


def _break(cursors: Sequence[_Cursor], here: int, end: Link) -> Finding | None:
    """Return the finding for the line that should follow the end; None if no line is left."""
    left = [cursor for cursor in cursors if cursor.line]
    if not left:
        return None
    expected = b'{"seq":%d,' % (end.seq + 1)

    def rank(cursor: _Cursor) -> tuple[int, int]:
        if cursor.line.startswith(expected):
            return 0, 0
        found = _place(cursor.line)
        return (1, 0) if found is None else (2, found.seq)

    first = min(left, key=rank)
    found = _place(first.line)
    if found is None:
        return first.finding("edited", _EDITED)
    if found.seq == end.seq + 1:
        if end is GENESIS:
            return first.finding("edited", "the first record names a previous one")
        detail = f"it is not the record {end.seq} that precedes record {found.seq}"
        return cursors[here].back().finding("edited", detail)
    detail = f"expected record {end.seq + 1}, found record {found.seq}"
    return first.finding(_misplaced(cursors, first.line, found.seq, expected), detail)


def _misplaced(cursors: Sequence[_Cursor], line: bytes, seq: int, expected: bytes) -> str:
    """Return the kind of break if a whole record stands in the place of another one."""
    if any(line in content for each in cursors for _, content in each.before()):
        return "duplicated"
    if any(b"\n" + expected in b"\n" + content for each in cursors for content in each.behind()):
        return "reordered"
    return "missing" if seq > int(expected[len('{"seq":') : -1]) else "edited"


def _place(line: bytes) -> Place | None:
    """Return the place of a record in its chain; None if the line is not a whole record."""
    try:
        return msgspec.json.decode(line, type=Place) if is_whole(line) else None
    except (ValueError, RecursionError):  # nested deeper than any record
        return None
