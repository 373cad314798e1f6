"""The events of a store that were deleted or renamed: a log for each day.

    history/events/2026-01-05.jsonl     a line for each event

A line is durable before the day is rewritten. After a crash in between it names an event that is
still there: it counts only if no event of the day equals it and was recorded at the same instant.
If several lines name such an event, those of the last instant count.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from storecore.events import EventQuery, encode_event
from storecore.models import Event
from storecore.values.times import TimeRange, exact_instant
from storecore_file.fs.disk import Disk
from storecore_file.fs.logs import whole_lines
from storecore_file.fs.marked_logs import MarkedLog, check_numbers, last_of
from storecore_file.fs.seal import decode_errors, is_sealed, sealed, unsealed
from storecore_file.fs.stat import Fingerprint, fingerprint
from storecore_file.history import FileClock, log_issues
from storecore_file.integrity import Files, Issue

SUFFIX = ".jsonl"
_LOG = re.compile(r"\d{4}-\d{2}-\d{2}\.jsonl")
_LOCK = "../../events/.lock"
_Key = tuple[bytes, int | None]


class Held(NamedTuple):
    """An event, when it was recorded (None: not known), and when it was deleted or renamed.

    `until` is None if it is present. `place` is its place in the order of writing of its day.
    """

    event: Event
    recorded: int | None
    until: int | None
    place: int


class _Line(Struct, frozen=True):
    type: str
    symbol: str | None
    timestamp: datetime
    ingested_at: datetime
    source: str
    payload: dict[str, Any]
    recorded: int | None
    until: int
    place: int
    n: int


_LINES = msgspec.json.Decoder(_Line)


class EventHistory:
    """The logs of deleted and renamed events, in one folder."""

    def __init__(self, clock: FileClock, disk: Disk) -> None:
        self.clock = clock
        self.folder = clock.folder / "events"
        self._disk = disk

    def keep(self, gone: Sequence[Held], until: int) -> None:
        """Add events that are deleted or renamed at an instant, durably."""
        if not gone or (not self.clock.keeps() and self.clock.prune_to(until)):
            return
        self.restore([each._replace(until=until) for each in gone])

    def restore(self, gone: Sequence[Held]) -> None:
        """Add events that were deleted or renamed, here or in another store, durably."""
        if not gone:
            return
        self._disk.make_folder(self.folder, within=self.clock.folder.parent)
        by_day: dict[str, list[Held]] = {}
        for each in gone:
            by_day.setdefault(each.event.timestamp.date().isoformat(), []).append(each)
        for day, events in by_day.items():
            self._append(self._path(day), events)

    def _append(self, path: Path, events: Sequence[Held]) -> None:
        def lines_from(first: int) -> list[bytes]:
            return [_encoded(each, number) for number, each in enumerate(events, first)]

        self._log(path).append(lambda line: _decoded(line, path).n, lines_from)

    def _log(self, path: Path) -> MarkedLog:
        return MarkedLog(self._disk, path)

    def days(self) -> list[str]:
        """Return the days that have a log, sorted."""
        names = self._disk.names(self.folder)
        return [name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)]

    def seen(self) -> list[tuple[str, Fingerprint | None]]:
        """Return what tells whether a log has changed."""
        return [(day, fingerprint(self._path(day))) for day in self.days()]

    def past(
        self, day: str, since: int, present: Callable[[EventQuery], Iterable[Held]]
    ) -> list[Held]:
        """Return the versions of a day that ended at or after an instant, and count.

        `present` returns the present events of the day that a query asks for, or more. They are
        held one at a time, and not asked for if no version ended.
        """
        lines = self.lines(self._path(day))
        if not any(_has_ended(each, since) for each in lines):
            return []
        found, times = _by_key(lines), {each.event.timestamp for each in lines}
        for each in present(_query_of(lines)):
            if each.event.timestamp in times:  # encoding an event takes longer
                found.pop(_key(each.event, each.recorded), None)
        return [each for same in found.values() for each in same if _has_ended(each, since)]

    def lines(self, path: Path) -> list[Held]:
        """Return the lines of a log. Raises `CorruptData`."""
        return list(map(_past, self._numbered(path)))

    def _numbered(self, path: Path) -> list[_Line]:
        lines = [_decoded(line, path) for line in whole_lines(self._disk.read(path), is_sealed)]
        check_numbers([line.n for line in lines], path)
        return lines

    def prune(self, before: int) -> None:
        """Remove the lines of what was deleted at or before an instant, under the lock."""
        for day in self.days():
            path = self._path(day)
            lines = self._numbered(path)
            kept = [_past(line) for line in lines if line.until > before]
            if len(kept) < len(lines):
                first = lines[-1].n - len(kept) + 1
                numbered = enumerate(kept, first)
                self._log(path).rewrite([_encoded(each, number) for number, each in numbered])

    def issues(self) -> Iterator[Issue | None]:
        """Yield the issue of each log, None for a whole one."""
        if self._disk.is_folder(self.folder):
            logs = Files(_LOG, self.lines, None, lambda name: _LOCK, is_whole=is_sealed)
            yield from log_issues(self._disk, self.folder, logs, self._last)

    def _last(self, path: Path) -> int:
        return last_of([line.n for line in self._numbered(path)])

    def _path(self, day: str) -> Path:
        return self.folder / f"{day}{SUFFIX}"


def _by_key(lines: Iterable[Held]) -> dict[_Key, list[Held]]:
    """Return the lines that name an event, those of its last instant only."""
    found: dict[_Key, list[Held]] = {}
    for each in lines:
        same = found.setdefault(_key(each.event, each.recorded), [])
        if same and same[-1].until != each.until:
            same.clear()
        same.append(each)
    return found


def _query_of(lines: Sequence[Held]) -> EventQuery:
    """Return a query for the events that lines name, and few others."""
    instants = [exact_instant(each.event.timestamp, "timestamp") for each in lines]
    symbols = frozenset(each.event.symbol for each in lines)
    return EventQuery(TimeRange(min(instants), max(instants), aware=True), symbols=symbols)


def _has_ended(held: Held, since: int) -> bool:
    return held.until is not None and held.until >= since


def _key(event: Event, recorded: int | None) -> _Key:
    return encode_event(event), recorded


def _encoded(past: Held, number: int) -> bytes:
    place = {"until": past.until, "place": past.place, "n": number}
    own = msgspec.json.encode({"recorded": past.recorded, **place})
    return sealed(b"%b,%b" % (encode_event(past.event)[:-1], own[1:]))


def _decoded(line: bytes, path: Path) -> _Line:
    with decode_errors(path, "log"):
        return _LINES.decode(unsealed(line))


def _past(line: _Line) -> Held:
    own = line.type, line.symbol, line.timestamp, line.ingested_at, line.source, line.payload
    return Held(Event(*own), line.recorded, line.until, line.place)
