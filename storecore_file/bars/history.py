"""The versions of bars that were replaced or deleted: a log for each series.

    history/prices/AAPL/1d.jsonl     one line for each write that has replaced some

Many bars of a line are packed: the line has the bytes of a partition of them, in base64.

A line is durable before the partitions that replace its bars are put in place. After a crash in
between, a line names bars that are still there. So a version in a line counts only if no bar is
there with the same date and instant of recording; if several lines name one, the last counts. The
next write that replaces the bar names it again.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, structs

from storecore.bars.extra import TYPES
from storecore.bars.rows import BarColumns
from storecore.bars.table import (
    EMPTY,
    as_table,
    instants_of,
    newest_rows,
    number_column,
    series_table,
    taken,
    whole_scalar,
)
from storecore.errors import CorruptData, StorageError
from storecore.knowledge.versions import Forming, Unreplaced, Versions
from storecore.values.times import EARLIEST, LATEST, TimeRange
from storecore_file.bars.journal_integrity import DAILY
from storecore_file.bars.journal_lines import Key, array_of, batch_of
from storecore_file.bars.kinds import joined
from storecore_file.bars.partition import Content, PartitionFile, encode
from storecore_file.bars.recorded import COLUMN, NOW, Recorded, Run
from storecore_file.bars.series import Series
from storecore_file.bars.versions import Dated, Merged, Replaced
from storecore_file.fs.disk import Disk
from storecore_file.fs.logs import whole_lines
from storecore_file.fs.marked_logs import MarkedLog, check_numbers, last_of
from storecore_file.fs.names import SYMBOLS, TIMEFRAMES
from storecore_file.fs.seal import decode_errors, is_sealed, sealed, too_deep, unsealed
from storecore_file.fs.stat import State, fingerprint, known_state_at
from storecore_file.history import FileClock, log_issues
from storecore_file.integrity import Files, Issue, listed, unexpected

UNTIL = "\x01until"
SUFFIX = ".jsonl"
_LOG = re.compile(r"[^.].*\.jsonl")
_LINE_ROWS = 65_536
_MOST_UNPACKED = 64  # rows of a line: as JSON they are quicker to write, and `jq` reads them
_MOST_KEPT = 256


class Line(Struct, frozen=True, omit_defaults=True):
    """Bars of a series that were replaced or deleted at the instant `until`, as columns.

    As in the journal the volumes are in `volumes` if one is null or if there are further columns.
    A line of many bars has no columns, but the bytes of a partition.
    """

    symbol: str
    timeframe: str
    date: list[int] = []
    open: list[float] = []
    high: list[float] = []
    low: list[float] = []
    close: list[float] = []
    volume: list[int | float] = []
    volumes: list[int | float | None] = []
    columns: dict[str, tuple[str, list[Any]]] = {}
    recorded: list[int] = []
    partition: bytes = b""
    until: int = 0
    n: int = 0


_LINES = msgspec.json.Decoder(Line)


class Past(NamedTuple):
    """What a write replaces, once its instant is known."""

    instant: int
    replaced: tuple[Replaced, ...] = ()


NO_PAST = Past(0)


class _Kept(NamedTuple):
    """The table of a log that was read, the dates of its bars in order, and its last instant."""

    found: State
    table: pa.Table
    dates: Sequence[int]
    newest: int


class BarHistory:
    """The replaced versions of the bars of a store, in one folder."""

    def __init__(self, clock: FileClock, disk: Disk) -> None:
        self.clock = clock
        self.folder = clock.folder / "prices"
        self._disk = disk
        self._kept: dict[Path, _Kept] = {}

    def path(self, key: Key) -> Path:
        """Return the log of a series."""
        return _log_of(self.folder, *key)

    def keep(self, key: Key, past: Past) -> None:
        """Add what a write replaces, durably; the caller holds the lock of the series."""
        if not past.replaced:
            return
        if not self.clock.keeps() and self.clock.prune_to(past.instant):
            return
        self._append(key, past)

    def restore(self, key: Key, replaced: Replaced) -> None:
        """Add versions of another store, durably; the caller holds the lock of the series."""
        if len(replaced.old.bars):
            self._append(key, Past(0, (replaced,)))

    def _append(self, key: Key, past: Past) -> None:
        path = self.path(key)
        self._disk.make_folder(path.parent, within=self.clock.folder.parent)
        lines = list(_lines(key, past))

        def lines_from(first: int) -> list[bytes]:
            return [
                sealed(msgspec.json.encode(structs.replace(line, n=number)))
                for number, line in enumerate(lines, first)
            ]

        self._log(path).append(lambda line: _decoded(line, path).n, lines_from)

    def _log(self, path: Path) -> MarkedLog:
        return MarkedLog(self._disk, path)

    def versions(self, series: Series, span: TimeRange) -> Versions:
        """Return the versions of the bars of a range, by date, then by time of recording."""
        path = self.path(series.key)
        while True:
            before = fingerprint(path)
            merged = series.merged(span)
            past = self.table(series.key)
            if fingerprint(path) == before:  # else a writer has replaced bars meanwhile
                return _versions(merged, past, span)

    def unreplaced(self, series: Series, span: TimeRange) -> Unreplaced | None:
        """Return the bars of a range, None if versions of it were replaced.

        The log is looked at after the partitions: what they do not have any more is in it.
        """
        merged, past = series.merged(span), self.table(series.key)
        if merged.replaced or (past is not None and len(_within(past, span))):
            return None
        bars, recorded = merged.bars.bars, merged.bars.recorded.column()
        return Unreplaced(bars, pc.if_else(pc.equal(recorded, 0), None, recorded))

    def load_known(
        self, series: Series, span: TimeRange, columns: Collection[str] | None, forming: Forming
    ) -> Callable[[], pa.Table]:
        """Read and check what a view shows of a range; the function returned decodes it.

        The log is looked at after the partitions: what they do not have any more is in it.
        """
        load = series.load_known(span, columns, forming)
        late = TimeRange(forming.ended + 1, span.last, aware=True)
        if load is not None and not self._has_past(series.key, late, forming.at):
            return load
        ended = series.read(span._replace(last=min(span.last, forming.ended)), columns)
        both = [each for each in (ended, self._forming(series, late, forming)) if len(each)]
        table = series.completed(joined(both) if both else ended, columns)
        return lambda: newest_rows(table, span.newest)

    def symbols_with_past(
        self, symbols: Sequence[str], timeframe: str, span: TimeRange, at: int
    ) -> set[str]:
        """Return the symbols of which bars of a range may have been replaced after an instant."""
        return {each for each in symbols if self._has_past((each, timeframe), span, at)}

    def _forming(self, series: Series, span: TimeRange, forming: Forming) -> pa.Table:
        bars: Any
        bars, recorded, replaced = self.versions(series, span)
        instants = zip(recorded, replaced, strict=True)
        rows = [row for row, each in enumerate(instants) if forming.is_shown(*each)]
        return taken(bars, rows)

    def _has_past(self, key: Key, span: TimeRange, at: int) -> bool:
        """Return whether bars of a range may have been replaced after an instant."""
        table = self.table(key)
        if table is None:
            return False
        kept = self._kept[self.path(key)]
        if kept.newest <= at:
            return False
        return bisect_left(kept.dates, span.first) < bisect_right(kept.dates, span.last)

    def lines(self, path: Path) -> list[Line]:
        """Return the lines of a log. Raises `CorruptData`."""
        found = [_decoded(line, path) for line in whole_lines(self._disk.read(path), is_sealed)]
        check_numbers([line.n for line in found], path)
        return found

    def table(self, key: Key) -> pa.Table | None:
        """Return all versions of a log, in its order; None if there are none.

        They have the columns `COLUMN` and `UNTIL`.
        """
        path = self.path(key)
        found = known_state_at(path)
        if found is None:
            return None
        kept = self._kept.get(path)
        if kept is not None and kept.found == found:
            return kept.table
        lines = self.lines(path)
        if any((line.symbol, line.timeframe) != key for line in lines):
            raise CorruptData(f"{path}: it holds bars of another series", path)
        if not lines:  # a crash has left an empty file
            return None
        table = joined(_table(line, path) for line in lines)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        dates = instants_of(table.select(["date"]).sort_by("date"))
        self._kept[path] = _Kept(found, table, dates, max(line.until for line in lines))
        return table

    def key_of(self, path: Path) -> Key | None:
        """Return the series of a log, None if it has no lines."""
        return next(((line.symbol, line.timeframe) for line in self.lines(path)), None)

    def logs(self) -> Iterator[Path]:
        """Yield the logs of all series."""
        for folder in self._disk.folders(self.folder):
            for name in self._disk.names(folder):
                if name.endswith(SUFFIX):
                    yield folder / name

    def replaced_since(self, since: int) -> Iterator[tuple[Key, Sequence[int]]]:
        """Yield the series and the dates of each line of what was replaced since an instant."""
        for path in self.logs():
            for line in self.lines(path):
                if line.until >= since:
                    yield (line.symbol, line.timeframe), _dates(line, path)

    def replaced_until(self, path: Path, until: int) -> list[int]:
        """Return the dates of a log's bars that were replaced at or before an instant."""
        lines = (line for line in self.lines(path) if line.until <= until)
        return [date for line in lines for date in _dates(line, path)]

    def issues(self) -> Iterator[Issue | None]:
        """Yield the issue of each log, None for a whole one."""
        found, unseen = listed(self.folder) if self._disk.is_folder(self.folder) else ([], [])
        yield from unseen
        for entry in found:
            folder = self.folder / entry.name
            if entry.is_folder:
                lock = partial(_lock_of, entry.name)
                logs = Files(_LOG, self._prove, None, lock, is_whole=is_sealed)
                yield from log_issues(self._disk, folder, logs, self._last)
            else:
                yield unexpected(folder, entry)

    def _prove(self, path: Path) -> None:
        for line in self.lines(path):
            _table(line, path)

    def _last(self, path: Path) -> int:
        return last_of([line.n for line in self.lines(path)])

    def prune(self, path: Path, before: int) -> None:
        """Remove the lines of what was replaced at or before an instant, under the series' lock."""
        lines = self.lines(path)
        kept = [line for line in lines if line.until > before]
        if len(kept) < len(lines):
            first = lines[-1].n - len(kept) + 1  # the next line goes on with the numbers
            numbered = (structs.replace(each, n=n) for n, each in enumerate(kept, first))
            self._log(path).rewrite([sealed(msgspec.json.encode(each)) for each in numbered])


@lru_cache(maxsize=4_096)  # each read of a view looks at one
def _log_of(folder: Path, symbol: str, timeframe: str) -> Path:
    return folder / SYMBOLS.encode(symbol) / f"{TIMEFRAMES.encode(timeframe)}{SUFFIX}"


def _lock_of(symbol: str, log: str) -> str:
    """Return the lock of a series, seen from the folder of its log."""
    timeframe = log.removesuffix(SUFFIX)
    below = "" if timeframe == DAILY else f"{timeframe}/"
    return f"../../../prices/{symbol}/{below}.lock"


def _lines(key: Key, past: Past) -> Iterator[Line]:
    """Yield the lines for what a write replaces, without their numbers."""
    for old, until in past.replaced:
        at = 0
        for rows, instant in until.at(past.instant).runs():
            for start in range(at, at + rows, _LINE_ROWS):
                part = old.part(start, min(start + _LINE_ROWS, at + rows))
                yield _line(key, part.bars, part.recorded, instant)
            at += rows


def _line(key: Key, bars: pa.Table, recorded: Recorded, until: int) -> Line:
    symbol, timeframe = key
    if len(bars) > _MOST_UNPACKED:
        return Line(symbol, timeframe, partition=_packed(key, bars, recorded), until=until)
    batch = structs.asdict(batch_of(timeframe, [], bars))
    values = {name: batch[name] for name in Line.__struct_fields__ if name in batch}
    own = {"symbol": symbol, "recorded": recorded.column().to_pylist(), "until": until}
    return Line(**{**values, **own})


def _packed(key: Key, bars: pa.Table, recorded: Recorded) -> bytes:
    """Return bars as a partition, whose generation is the last instant of recording of them."""
    runs = recorded.runs()
    generation = max(run.at for run in runs)
    return encode(*key, bars, {}, generation, block=Recorded.of(runs).block(generation))


def _decoded(line: bytes, path: Path) -> Line:
    try:
        found = _LINES.decode(unsealed(line))
    except ValueError as error:
        raise CorruptData(f"{path}: a line is not whole: {error}: {line[:80]!r}", path) from error
    except RecursionError as error:
        raise too_deep(path, line) from error
    if not {kind for kind, _ in found.columns.values()} <= TYPES.keys():
        raise StorageError(f"{path}: written by a newer storecore: update storecore", path)
    return found


def _dates(line: Line, path: Path) -> Sequence[int]:
    return line.date or instants_of(_table(line, path))


def _table(line: Line, path: Path) -> pa.Table:
    """Return the versions of a line. Raises `CorruptData` if they are not whole."""
    with decode_errors(path, "log of bars"):
        bars, recorded = _unpacked(line, path) if line.partition else _of_json(line)
        if not len(bars):
            raise ValueError(f"line {line.n} has no bars")
        table = bars.append_column(COLUMN, recorded)
        until = pa.repeat(whole_scalar(line.until), len(table))
        return table.append_column(UNTIL, until)


def _unpacked(line: Line, path: Path) -> tuple[pa.Table, pa.Array]:
    """Return the bars of a line that are packed, and when they were recorded."""
    file = PartitionFile(Content(path, line.partition))
    file.check_series(line.symbol, line.timeframe)
    return file.rows(EARLIEST, LATEST), file.recorded().column()


def _of_json(line: Line) -> tuple[pa.Table, pa.Array]:
    volumes = line.volumes or line.volume
    columns = BarColumns(line.date, line.open, line.high, line.low, line.close, list(volumes))
    table = series_table(columns)
    for name, (kind, values) in line.columns.items():
        table = table.append_column(pa.field(name, TYPES[kind]), array_of(values, kind))
    return table, number_column(line.recorded, pa.int64(), "q")


def _versions(merged: Merged, past: pa.Table | None, span: TimeRange) -> Versions:
    """Return the versions of a range, given what is in the partitions, the journal and the log."""
    held = [_ending(merged.bars, Recorded.of([Run(len(merged.bars.bars), NOW)]))]
    held += [_ending(*each) for each in merged.replaced]
    there = {key for table in held for key in _keys(table)}
    if past is not None:
        past = _within(past, span)
        newest = {key: row for row, key in enumerate(_keys(past)) if key not in there}
        held.append(taken(past, newest.values()))
    table = joined(each for each in held if len(each))
    if not len(table):
        return Versions(EMPTY, [], [])
    table = table.sort_by([("date", "ascending"), (COLUMN, "ascending")])
    recorded = [at or None for at in table[COLUMN].to_pylist()]
    replaced = _until_next(instants_of(table), table[COLUMN].to_pylist(), table[UNTIL].to_pylist())
    return Versions(table.drop_columns([COLUMN, UNTIL]), recorded, replaced)


def parted(versions: Versions) -> tuple[Replaced, Dated]:
    """Return versions of another store as what was replaced, and what is held."""
    table = as_table(versions.bars)
    recorded = pa.array([at or 0 for at in versions.recorded], pa.int64())
    until = pa.array(versions.replaced, pa.int64())
    table, is_held = table.append_column(COLUMN, recorded), pc.is_null(until)
    past = Dated.of(table.filter(pc.invert(is_held)))
    ends = Recorded.from_column(pa.chunked_array([until.drop_null()]))
    return Replaced(past, ends), Dated.of(table.filter(is_held))


def dated(given: Unreplaced) -> Dated:
    """Return bars of another store that were never replaced."""
    recorded = pc.fill_null(given.recorded, 0)
    return Dated(given.bars, Recorded.from_column(pa.chunked_array([recorded])))


def _within(table: pa.Table, span: TimeRange) -> pa.Table:
    dates = pc.cast(table["date"], pa.int64())
    late_enough = pc.greater_equal(dates, whole_scalar(span.first))
    early_enough = pc.less_equal(dates, whole_scalar(span.last))
    return table.filter(pc.and_(late_enough, early_enough))


def _until_next(
    dates: Sequence[int], recorded: Sequence[int], until: Sequence[int]
) -> list[int | None]:
    """Return when each version was replaced, at the latest by the next one of its date.

    A deletion that has not seen a row of the journal may have a later instant than the row.
    """
    found: list[int | None] = [None if at == NOW else at for at in until]
    for row, (date, at) in enumerate(zip(dates[1:], recorded[1:], strict=True)):
        end = found[row]
        if date == dates[row] and (end is None or end > at):
            found[row] = at
    return found


def _ending(bars: Dated, until: Recorded) -> pa.Table:
    return bars.table().append_column(UNTIL, until.column())


def _keys(table: pa.Table) -> Iterator[tuple[int, int]]:
    """Yield date and instant of recording of each version."""
    return zip(instants_of(table), table[COLUMN].to_pylist(), strict=True)
