"""The bars of a store: a folder a series, in it Parquet files of whole months, days or hours.

    prices/AAPL/2006-01--2025-12.parquet     timeframe "1d"
    prices/AAPL/1m/2026-01.parquet           any other, one folder down
    prices/.journal/                         batches of a few bars for many symbols, to be flushed

The bars of one symbol lie in its files when a write returns. A batch of a few bars for many symbols
is appended to the journal, which is read together with the files, and is flushed into them when it
is large, by `compact()` and at `close()`.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar, cast

import pyarrow as pa

from storecore.bars.extra import kinds_of
from storecore.bars.groups import Grouped
from storecore.bars.query import Panel
from storecore.bars.rows import BarColumns
from storecore.bars.table import EMPTY, SERIES, series_table
from storecore.errors import CorruptData, StorageError, StoreError
from storecore.knowledge.versions import Forming, Unreplaced, Versions
from storecore.reports import Coverage, Footprint, SeriesCoverage
from storecore.store.collections import BarCollection
from storecore.values.logger import log as _log
from storecore.values.times import LATEST, TimeRange
from storecore_file.bars.appended import Known, behind, tails_of
from storecore_file.bars.batch import Upsert, all_or_none
from storecore_file.bars.decoded import CACHE_BYTES, Decoded
from storecore_file.bars.first_look import MANY, FirstLook, PiecesOf
from storecore_file.bars.history import BarHistory, dated, parted
from storecore_file.bars.integrity import SeriesProof
from storecore_file.bars.inventory import Inventory, SeriesFolder
from storecore_file.bars.journal import Journal, KindsChangedError, Waiting
from storecore_file.bars.journal_integrity import JournalProof, journal_issues
from storecore_file.bars.kinds import Kinds, KnownKinds
from storecore_file.bars.layout import layout_of
from storecore_file.bars.originals import (
    End,
    Sorted,
    originals,
    sorted_copies,
    sorted_originals,
)
from storecore_file.bars.panel import ALL, Names, Pieces, panel_of, plain_columns, table_of
from storecore_file.bars.parallel import batch_by_batch, in_parallel
from storecore_file.bars.partition import Metadata
from storecore_file.bars.series import Series, any_metadata
from storecore_file.bars.stream import stream
from storecore_file.bars.versions import NONE_REPLACED, Dated, Replaced
from storecore_file.bars.writer import SeriesWriter
from storecore_file.fs.disk import Disk
from storecore_file.fs.errors import Attempt, best_effort
from storecore_file.fs.locks import Locked
from storecore_file.fs.names import SYMBOLS, TIMEFRAMES, is_hashed
from storecore_file.history import FileClock
from storecore_file.integrity import Issue, guarded, listed, unexpected
from storecore_file.rename_intent import RENAMING, Intent, RenamingError
from storecore_file.store_format import EXTRA, StoreFormat

_DAILY = "1d"
FEW_ROWS = 32  # a symbol with more is written into its own files at once
MANY_SERIES = 2  # with few rows each: one append costs less than two files, and is whole or not
JOURNAL_BYTES = 16 * 2**20
WRITERS = 4  # they wait for the disk more than they work
_AT_ONCE = 64  # files that are removed together: each is held open until then
_NOT_OF_IT = "neither copied nor written by the rename that was interrupted"
_Result = TypeVar("_Result")
_Few = list[tuple[str, pa.Table]]


class JournaledError(Exception):
    """The journal has rows of a symbol that is to be renamed."""


class Bars(BarCollection):
    """The bars of a store, in one folder. Symbols and timeframes are checked names."""

    keeps_extra = True

    def __init__(
        self,
        folder: Path,
        disk: Disk,
        lock_timeout: float,
        number: StoreFormat,
        clock: FileClock,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self._folder = folder
        self._decoded = Decoded(cache_bytes)
        self._disk = disk
        self._format = number
        self._lock_timeout = lock_timeout
        self._history = BarHistory(clock, disk)
        self._journal = Journal(folder / ".journal", disk, lock_timeout, clock)
        self.renames = self._journal.renames
        self._inventory = Inventory(disk, self._journal, self._series, self._is_hidden)
        self._appended = False
        self._known: set[tuple[str, str]] = set()  # series whose partitions have been asked
        self._reached = 0  # the highest number of a journal file that they know
        self._kinds: KnownKinds | None = None  # of series that bars with further columns went to

    def write(self, symbol: str, timeframe: str, columns: BarColumns) -> None:
        """Upsert bars; they lie in the series' files when this returns."""
        self._upsert(timeframe, [(symbol, series_table(columns))])

    def write_many(self, timeframe: str, batch: Grouped) -> None:
        """Upsert the bars of each symbol: all of them or, on an error, none (law D2)."""
        self._upsert(timeframe, batch.series())

    def replace(self, timeframe: str, batch: Grouped) -> None:
        """Make each series exactly its bars: all series or, on an error, none.

        A reader, and a crash, sees the old bars of a series or the new ones. After a crash some
        series of the batch may be old and others new.
        """
        series = batch.series()
        folders = [self._path(symbol, timeframe) for symbol, _ in series]
        self._disk.make_folders(folders, within=self._folder)
        self._flush_columns([(symbol, timeframe) for symbol, _ in series])
        upserts = [
            Upsert(self._writer(symbol, timeframe), bars, whole=True) for symbol, bars in series
        ]
        self._settled(lambda: all_or_none(upserts, WRITERS, lambda: None))

    @contextmanager
    def held(self, old: str, new: str) -> Iterator[None]:
        """Hold the locks of all series of two symbols, whose rows have all left the journal.

        Batches are still appended to it, so that others need not wait: see `without_rows`.
        """
        if not self._disk.is_folder(self._folder):  # a store without bars
            yield
            return
        self._disk.make_folder(self._journal.folder, within=self._folder)
        while True:
            self.flush()
            names = self._folders_of(old)
            locked = self.locked(old, new, names)
            with self._journal.flush_lock(), locked:
                if names == self._folders_of(old) and self._has_forgotten(old, new):
                    yield
                    return

    def _has_forgotten(self, old: str, new: str) -> bool:
        """Expect no rows of a symbol any more; return False if the journal has some."""
        with suppress(JournaledError), self.without_rows(old, new):
            self._journal.record.forget(lambda key, hour: key[0] == old)
            return True
        return False

    @contextmanager
    def without_rows(self, *symbols: str) -> Iterator[None]:
        """Hold the lock of appends. Raises `JournaledError` if the journal has rows of a symbol."""
        if not self._disk.is_folder(self._folder):  # a store without bars
            yield
            return
        with self._journal.kinds_lock():
            rows = self._journal.series(self._journal.files())
            if {*symbols} & {key[0] for key in rows}:
                raise JournaledError
            yield

    @contextmanager
    def locked(self, old: str, new: str, names: Sequence[str] = ()) -> Iterator[None]:
        """Hold the locks of all series of two symbols, those of the new one made if need be."""
        made = [_below(_symbol_folder(self._folder, new), name) for name in names]
        self._disk.make_folders(made, within=self._folder)
        found = {*made, *self.marked_folders(old), *self.marked_folders(new)}
        found |= {_below(_symbol_folder(self._folder, old), name) for name in names}
        with ExitStack() as locks:
            for folder in sorted(found):
                locks.enter_context(Locked(folder / ".lock", self._lock_timeout))
            yield

    def originals(self, old: str) -> dict[str, dict[str, End]]:
        """Return what is known of each partition of a symbol, by the names of its folders."""
        return {name: originals(self._renamed_series(old, name)) for name in self._folders_of(old)}

    def copy_symbol(self, intent: Intent) -> None:
        """Write all series of a symbol under another one, whose folders are marked."""
        for name in self._folders_of(intent.old):
            series = self._renamed_series(intent.old, name)
            folder = _below(_symbol_folder(self._folder, intent.new), name)
            copy = Series(folder, intent.new, series.timeframe, self._disk, self._journal)
            writer = SeriesWriter(series, self._lock_timeout, self._history)
            writer.copy_to(copy, intent.generation)

    def _renamed_series(self, symbol: str, name: str) -> Series:
        """Return the series in a symbol's folder of a name, which may be only a hash."""
        folder = _below(_symbol_folder(self._folder, symbol), name)
        timeframe = self._metadata(folder).timeframe
        return Series(folder, symbol, timeframe, self._disk, self._journal)

    def remove_hidden(self, intent: Intent) -> None:
        """Remove the partitions that do not count, under the locks of their series.

        Those that are not proven to be of the rename stay, and count again once it is done.
        """
        for found in self._hidden(intent):
            for start in range(0, len(found.proven), _AT_ONCE):
                self._disk.remove(*found.proven[start : start + _AT_ONCE])
            for path in found.others:
                _log.warning("%s: %s, and counts again", path, _NOT_OF_IT)

    def _hidden(self, intent: Intent) -> Iterator[Sorted]:
        """Yield what lies in each marked folder of the name that does not count."""
        sort = sorted_copies if intent.hidden == intent.new else sorted_originals
        old, new = (_symbol_folder(self._folder, each) for each in (intent.old, intent.new))
        hidden = new if intent.hidden == intent.new else old
        for folder in self.marked_folders(intent.hidden or intent.old):
            name = "" if folder == hidden else folder.name
            yield sort(self._disk, _below(old, name), _below(new, name), intent, name)

    def _hidden_issues(self) -> Iterator[Issue]:
        """Yield notes on partitions that an interrupted rename hides, though they are not of it."""
        with suppress(CorruptData):  # the record is reported by itself
            intent = self.renames.read()
            if intent is not None and intent.hidden is not None:
                others = [path for found in self._hidden(intent) for path in found.others]
                detail = f"{_NOT_OF_IT}: it counts again once that is settled"
                yield from (Issue(RENAMING, path, detail) for path in others)

    def folders_to_mark(self, old: str, new: str) -> list[Path]:
        """Return the folders of the series of a symbol, and of what they are to be."""
        names = self._folders_of(old)
        symbols = [_symbol_folder(self._folder, symbol) for symbol in (old, new)]
        return [_below(folder, name) for folder in symbols for name in names]

    def marked_folders(self, symbol: str) -> list[Path]:
        """Return the folders of a symbol's series that a rename has marked."""
        folders = self._series_in(_symbol_folder(self._folder, symbol), None)
        return [each for each in folders if layout_of(self._disk.names(each)).renaming]

    def _folders_of(self, symbol: str) -> list[str]:
        """Return the names of the folders of a symbol's series; "" is its own."""
        daily = _symbol_folder(self._folder, symbol)
        found = filter(self._has_partitions, self._series_in(daily, None))
        return ["" if folder == daily else folder.name for folder in found]

    def _settled(self, work: Callable[[], _Result]) -> _Result:
        """Return what some work returns, done again if a rename had to be settled before."""
        while True:
            try:
                return work()
            except RenamingError:
                self.renames.settle()

    def _flush_columns(self, keys: list[tuple[str, str]]) -> None:
        """Flush the journal if it has further columns of some series, which they may not keep."""
        if any(row.kinds for key in keys for row in self._journal.pending(key).rows):
            self._try_to_flush()

    def _upsert(self, timeframe: str, series: list[tuple[str, pa.Table]]) -> None:
        while True:
            with suppress(KindsChangedError):  # by another writer, once this one had looked at them
                return self._settled(lambda: self._try_to_upsert(timeframe, series))

    def _try_to_upsert(self, timeframe: str, series: list[tuple[str, pa.Table]]) -> None:
        given = [(symbol, bars) for symbol, bars in series if len(bars)]
        few = [(symbol, bars) for symbol, bars in given if len(bars) <= FEW_ROWS]
        if len(few) >= MANY_SERIES and few[0][1].num_columns > len(SERIES):
            few = self._of_known_kinds(timeframe, few)
        if len(few) < MANY_SERIES:
            few = []
        journaled = {symbol for symbol, _ in few}
        own = [(symbol, bars) for symbol, bars in given if symbol not in journaled]
        folders = [self._path(symbol, timeframe) for symbol, _ in own]
        self._disk.make_folders(folders, within=self._folder)
        if len(own) == len(given) == 1:
            return self._writer(own[0][0], timeframe).write(own[0][1])
        upserts = [Upsert(self._writer(symbol, timeframe), bars) for symbol, bars in own]
        length = all_or_none(upserts, WRITERS, lambda: self._append(timeframe, few))
        if length > JOURNAL_BYTES:
            self._try_to_flush()
        return None

    def _of_known_kinds(self, timeframe: str, few: _Few) -> _Few:
        """Return the series whose partitions know the columns of a batch, for one line.

        A line has one kind for each column. The others are written into their partitions.
        """
        given = kinds_of(few[0][1])
        if not given:
            return few
        known, by_kinds = self._kinds_now(), dict[tuple[str, ...], _Few]()
        for symbol, bars in few:
            kinds = known.of((symbol, timeframe), self._kinds_of)
            fitted = known.fitted(kinds, bars, given)
            if fitted is not None:
                of_one = tuple(kinds[name] for name in given)
                by_kinds.setdefault(of_one, []).append((symbol, fitted))
        return max(by_kinds.values(), key=len, default=[])

    def _kinds_now(self) -> KnownKinds:
        """Return which kinds are known, forgotten if other writers have changed any."""
        known = self._kinds
        with self._journal.kinds_lock() as lock:
            at = lock.count()
        if known is None or known.at != at:
            known = self._kinds = KnownKinds(at)
        return known

    def _kinds_of(self, key: tuple[str, str]) -> Kinds:
        return self._series(*key).kinds()

    def _append(self, timeframe: str, few: _Few) -> int:
        """Append the bars of many symbols to the journal; return the length of its file."""
        if not few:
            return 0
        self._appended = True
        reached = self._reached_by(timeframe, few)
        bars = few[0][1]
        kinds = kinds_of(bars) if bars.num_columns > len(SERIES) else {}
        if kinds or bars.schema.field("volume").nullable:
            self._format.require(EXTRA)
        if kinds:
            return self._append_known(timeframe, few, reached, kinds)
        return self._journal.append(timeframe, few, reached)

    def _append_known(self, timeframe: str, few: _Few, reached: int, kinds: Kinds) -> int:
        """Append bars with further columns, if partitions still have these in the same kinds."""
        while True:
            known = self._kinds_now()
            for symbol, _ in few:
                own = known.of((symbol, timeframe), self._kinds_of)
                if not kinds.items() <= own.items():
                    raise KindsChangedError
            with suppress(KindsChangedError):
                return self._journal.append(timeframe, few, reached, known.at)

    def _reached_by(self, timeframe: str, few: _Few) -> int:
        """Return the highest number of a file of the journal that partitions of these series know.

        Each series is asked once in the life of a store object. A batch is written although a
        partition cannot be read.
        """
        for symbol, _ in few:
            if (symbol, timeframe) not in self._known:
                with suppress(StoreError):
                    found = self._series(symbol, timeframe).journaled()
                    self._reached = max(self._reached, found)
                    self._known.add((symbol, timeframe))
        return self._reached

    def read(self, symbol: str, timeframe: str, span: TimeRange) -> pa.Table:
        """Return the bars of a range as a series table."""
        if self._decoded.has_some([symbol], timeframe):
            kept = self._kept_bars([symbol], timeframe, span, ALL)[0]
            if kept is not None:
                return table_of(kept, ALL)
        return self._cold(symbol, timeframe, lambda series: series.load(span))()

    def read_many(
        self, symbols: list[str], timeframe: str, span: TimeRange, columns: Collection[str]
    ) -> list[tuple[str, pa.Table]] | Panel:
        """Return a series table (of some columns) a symbol."""

        def load(series: Series) -> Callable[[], pa.Table]:
            return series.load(span, columns, complete=True)

        return self._read_each(symbols, timeframe, span, columns, load)

    def known(
        self,
        symbols: list[str],
        timeframe: str,
        span: TimeRange,
        columns: tuple[str, ...] | None,
        forming: Forming,
    ) -> list[tuple[str, pa.Table]] | Panel:
        """Return a series table (of some columns) a symbol of what a view shows of a range."""

        def load(series: Series) -> Callable[[], pa.Table]:
            return self._history.load_known(series, span, columns, forming)

        return self._read_each(symbols, timeframe, span, columns or SERIES.names, load, forming)

    def _read_each(
        self,
        symbols: list[str],
        timeframe: str,
        span: TimeRange,
        columns: Collection[str],
        load: Callable[[Series], Callable[[], pa.Table]],
        forming: Forming | None = None,
    ) -> list[tuple[str, pa.Table]] | Panel:
        """Return the bars of symbols; `load` prepares those that are not kept decoded."""

        def cold(symbol: str) -> Callable[[], pa.Table]:
            return self._cold(symbol, timeframe, load)

        def read() -> list[tuple[str, pa.Table]] | Panel:
            names = plain_columns(columns)
            if names is None:
                return list(zip(symbols, batch_by_batch(map(cold, symbols)), strict=True))
            found = self._pieces(symbols, timeframe, span, names, forming)
            missing = _without(symbols, found)
            if not missing:
                return panel_of(symbols, cast(list[Pieces], found), names)
            read = iter(batch_by_batch(map(cold, missing)))
            return [
                (symbol, next(read) if each is None else table_of(each, names))
                for symbol, each in zip(symbols, found, strict=True)
            ]

        return self.renames.between(read) if len(symbols) > 1 else read()

    def _pieces(
        self,
        symbols: list[str],
        timeframe: str,
        span: TimeRange,
        names: Names,
        forming: Forming | None,
    ) -> list[Pieces | None]:
        """Return what `_kept_bars` does, and what a first look finds at many that are not kept."""
        found: list[Pieces | None] = [None] * len(symbols)
        if self._decoded.has_some(symbols, timeframe):
            found = self._kept_bars(symbols, timeframe, span, names, forming)
        if found.count(None) < MANY:
            return found
        look, new = FirstLook(self._decoded, self._disk, self._path), _without(symbols, found)
        given = iter(self._kept_bars(new, timeframe, span, names, forming, look.pieces))
        return [next(given) if each is None else each for each in found]

    def _kept_bars(
        self,
        symbols: list[str],
        timeframe: str,
        span: TimeRange,
        names: Names,
        forming: Forming | None = None,
        pieces: PiecesOf | None = None,
    ) -> list[Pieces | None]:
        """Return the bars of each symbol, None if they are not kept decoded, or if others count.

        `pieces` finds them in the place of what is kept.
        The journal is looked at before the partitions, and the log of replaced bars after them, as
        by those who read the files.
        """
        waiting = self._journal.waiting(symbols, timeframe, span)
        ended = LATEST if forming is None else forming.ended
        pieces = pieces or self._decoded.pieces
        if waiting:
            found = self._kept_and_waiting(symbols, timeframe, span, names, waiting, ended, pieces)
        else:
            found = [pieces((symbol, timeframe), span, names, ended) for symbol in symbols]
        if forming is None or span.last <= ended:
            return found
        late = TimeRange(ended + 1, span.last, aware=True)
        past = self._history.symbols_with_past(symbols, timeframe, late, forming.at)
        return [
            None if symbol in past else each for symbol, each in zip(symbols, found, strict=True)
        ]

    def _kept_and_waiting(
        self,
        symbols: list[str],
        timeframe: str,
        span: TimeRange,
        names: Names,
        waiting: dict[str, Waiting],
        ended: int,
        pieces: PiecesOf,
    ) -> list[Pieces | None]:
        """Return what `_kept_bars` does, given the rows of the range that are in the journal."""
        looked: list[Known] = [[] for _ in symbols]
        found = [
            pieces((symbol, timeframe), span, names, ended, partitions)
            for symbol, partitions in zip(symbols, looked, strict=True)
        ]
        places = [place for place, symbol in enumerate(symbols) if symbol in waiting]
        tails = tails_of([(waiting[symbols[place]], looked[place]) for place in places])
        for place, tail in zip(places, tails, strict=True):
            found[place] = behind(found[place], tail, span, names, ended)
        files = {name for each in waiting.values() for name in each.files}
        if not self._journal.has_all(files):  # flushed meanwhile
            for place in places:
                found[place] = None
        return found

    def _cold(
        self, symbol: str, timeframe: str, load: Callable[[Series], Callable[[], pa.Table]]
    ) -> Callable[[], pa.Table]:
        """Prepare to read a series from its files, which are kept decoded from then on."""
        folder = self._path(symbol, timeframe)
        decoded = self._decoded
        rows = load(Series(folder, symbol, timeframe, self._disk, self._journal, decoded, True))
        decoded.keep_folder((symbol, timeframe), os.fspath(folder), self._disk)
        return rows

    def stream(
        self,
        symbols: list[str],
        timeframe: str,
        span: TimeRange,
        columns: Collection[str],
        max_bytes: int,
    ) -> Iterator[list[tuple[str, pa.Table]]]:
        """Yield a series table a symbol for windows that follow each other in time."""
        series = [self._bypassing(symbol, timeframe) for symbol in symbols]
        return stream(series, span, columns, max_bytes)

    def delete(self, symbol: str, timeframe: str, span: TimeRange) -> int:
        """Remove the bars of a range; return how many there were."""
        key = (symbol, timeframe)
        if key in self._journal.series_of(symbol):
            self._try_to_flush()
            self._disk.make_folders([self._path(*key)], within=self._folder)
        if span.first > span.last or not self._disk.is_folder(self._path(*key)):
            return 0
        self._disk.refuse_links(self._path(*key), self._folder)
        deleted = self._settled(lambda: self._writer(*key).delete(span.first, span.last))
        self._tidy(key)
        return deleted

    def _tidy(self, key: tuple[str, str]) -> None:
        """Remove partitions without bars, if that is possible: no read returns a bar of them."""
        with best_effort(self._path(*key), "empty partitions are removed later"):
            # Its rows need a partition that is empty now.
            if key in self._journal.series_of(key[0]):
                self._try_to_flush()
            self._settled(self._writer(*key).drop_empty)

    def series(self) -> Iterator[tuple[str, str]]:
        """Yield symbol and timeframe of each series."""
        for symbol in self.symbols(None):
            yield from ((symbol, timeframe) for timeframe in self.timeframes(symbol))

    def symbols(self, timeframe: str | None) -> list[str]:
        """Return the symbols that have bars, of one timeframe or of any."""
        return self.renames.between(lambda: self._symbols(timeframe))

    def _symbols(self, timeframe: str | None) -> list[str]:
        symbols = {key[0] for key in self._journal.series() if timeframe in (None, key[1])}
        for folder in self._disk.folders(self._folder):
            symbol = self._symbol_in(folder, timeframe)
            if symbol is not None:
                symbols.add(symbol)
        return sorted(symbols)

    def having(self, *symbols: str) -> set[str]:
        """Return those of some symbols that have bars, without a look at other folders."""
        journaled = {key[0] for key in self._journal.series_of(*symbols)}
        folders = {each: _symbol_folder(self._folder, each) for each in symbols}
        return {
            symbol
            for symbol, folder in folders.items()
            if symbol in journaled or self._symbol_in(folder, None) is not None
        }

    def _symbol_in(self, folder: Path, timeframe: str | None) -> str | None:
        """Return the symbol whose bars a folder has, None if it has none.

        A folder that cannot be read counts if its name gives a symbol: reading that symbol raises
        the error. A foreign folder does not count.
        """
        known = SYMBOLS.decode(folder.name)
        if known is None and not is_hashed(folder.name):
            return None
        try:
            found = next(filter(self._has_partitions, self._series_in(folder, timeframe)), None)
        except StorageError:
            if known is None:
                raise
            return known
        return None if found is None else known or self._metadata(found).symbol

    def timeframes(self, symbol: str) -> list[str]:
        """Return the timeframes in which a symbol has bars."""
        timeframes = {key[1] for key in self._journal.series_of(symbol)}
        daily = self._path(symbol, _DAILY)
        for folder in filter(self._has_partitions, self._series_in(daily, None)):
            name = _DAILY if folder == daily else TIMEFRAMES.decode(folder.name)
            timeframes.add(name or self._metadata(folder).timeframe)
        return sorted(timeframes)

    def coverage(self, symbol: str, timeframe: str) -> Coverage:
        """Return first and last date and the number of bars."""
        return self._series(symbol, timeframe).coverage()

    def inventory(self) -> list[SeriesCoverage]:
        """Return the extent of each series that has bars, by symbol, then timeframe."""
        return self.renames.between(lambda: self._inventory.read(self._series_folders()))

    def _series_folders(self) -> Iterator[SeriesFolder]:
        """Yield the folders that may have partitions, in no order."""
        prices = os.fspath(self._folder)
        for name in self._disk.folder_names(self._folder):
            symbol = SYMBOLS.decode(name)
            if symbol is None and not is_hashed(name):
                continue
            folder = f"{prices}/{name}"
            names = self._disk.names(folder)
            yield SeriesFolder(folder, symbol, _DAILY, names)
            for each in names:
                if not each.endswith(".parquet") and self._disk.is_folder(f"{folder}/{each}"):
                    below, timeframe = f"{folder}/{each}", TIMEFRAMES.decode(each)
                    yield SeriesFolder(below, symbol, timeframe, self._disk.names(below))

    def extra_kinds(self, symbol: str, timeframe: str) -> dict[str, str]:
        """Return the further columns of a series and their kinds."""
        return self._series(symbol, timeframe).kinds_with_pending()

    def generation(self, symbol: str, timeframe: str) -> int:
        """Return the generation of the last write to a series, 0 if it is not known."""
        return self._series(symbol, timeframe).generation()

    def footprint(self, symbol: str, timeframe: str) -> Footprint:
        """Return the number of files and their bytes, without the journal's."""
        return self._series(symbol, timeframe).footprint()

    def versions(self, symbol: str, timeframe: str, span: TimeRange) -> Versions:
        """Return the versions of the bars of a range."""
        return self._history.versions(self._series(symbol, timeframe), span)

    def restore(self, symbol: str, timeframe: str, versions: Versions) -> None:
        """Take in versions of another store; those that were replaced are in the log first."""
        self._restore(symbol, timeframe, *parted(versions))

    def _restore(self, symbol: str, timeframe: str, past: Replaced, present: Dated) -> None:
        self._disk.make_folders([self._path(symbol, timeframe)], within=self._folder)
        restore = partial(self._writer(symbol, timeframe).restore, past, present)
        while True:
            with suppress(KindsChangedError):  # by another writer
                return self._settled(restore)

    def unreplaced(self, symbol: str, timeframe: str, span: TimeRange) -> Unreplaced | None:
        """Return the bars of a range, if neither the log nor the journal has replaced versions."""
        return self._history.unreplaced(self._series(symbol, timeframe), span)

    def restore_unreplaced(self, symbol: str, timeframe: str, given: Unreplaced) -> None:
        """Take in bars of another store that were never replaced."""
        self._restore(symbol, timeframe, NONE_REPLACED, dated(given))

    def corrected(self, since: int) -> Iterator[tuple[str, str, TimeRange]]:
        """Return the series in whose log, or in the journal, something may have been replaced.

        A series has a range for each partition with dates of these bars: of a long one, no other
        partition is read.
        """
        # The journal first: what is flushed meanwhile is in the logs then.
        counting, pending = self._journal.series(), self._journal.all_pending()
        found = defaultdict[tuple[str, str], list[int]](list)
        for key in counting & pending.keys():
            found[key] += (row.values[0] for row in pending[key].rows)
        for key, dates in self._history.replaced_since(since):
            found[key] += dates
        for key, dates in found.items():
            for span in self._spans(key, dates):
                yield *key, span

    def _spans(self, key: tuple[str, str], dates: Iterable[int]) -> list[TimeRange]:
        """Return a range for each partition in which some dates of a series are, or would be."""
        begins = [partition.first for partition in self._series(*key).layout().partitions]
        found = defaultdict[int, list[int]](list)
        for date in dates:
            found[bisect_right(begins, date)].append(date)
        return [TimeRange(min(part), max(part), aware=True) for part in found.values()]

    def prune(self, before: int) -> int:
        """Remove the versions that were replaced at or before an instant; return their number."""
        self._try_to_flush()
        return sum(self._pruned(path, before) for path in list(self._history.logs()))

    def _pruned(self, path: Path, before: int) -> int:
        key, dates = self._history.key_of(path), self._history.replaced_until(path, before)
        if key is None or not dates:
            return 0
        folder = self._path(*key)
        self._disk.make_folders([folder], within=self._folder)
        with Locked(folder / ".lock", self._lock_timeout):
            spans = self._spans(key, dates)
            found = self._number(key, spans)
            self._history.prune(path, before)
            return found - self._number(key, spans)

    def _number(self, key: tuple[str, str], spans: Iterable[TimeRange]) -> int:
        """Return how many versions some ranges of a series have, which are read one at a time."""
        return sum(len(self.versions(*key, span).recorded) for span in spans)

    def settle_clock(self) -> None:
        """Wait for each writer that may not have seen the clock of recording, just made."""
        folders = [
            each
            for folder in self._disk.folders(self._folder)
            for each in self._series_in(folder, None)
        ]
        for folder in (self._journal.folder, *folders):
            if self._disk.size(folder / ".lock") is not None:
                with Locked(folder / ".lock", self._lock_timeout):
                    pass

    def flush(self) -> int:
        """Flush the journal into the files of its series; return how many there were."""
        if not self._journal.series(self._journal.files()):
            return 0
        with self._journal.flush_lock():
            names = self._journal.rotate()
            keys = sorted(self._journal.series(names))
            self._disk.make_folders((self._path(*key) for key in keys), within=self._folder)
            failed = [error for error in in_parallel(self._flushed, keys, WRITERS) if error]
            if failed:
                raise failed[0]
            self._journal.retire(names)
        return len(keys)

    def _flushed(self, key: tuple[str, str]) -> StoreError | None:
        """Flush one series; return an error, so that it does not stop the others."""
        try:
            self._settled(lambda: self._writer(*key).write(EMPTY))
        except StoreError as error:
            return error
        return None

    def _try_to_flush(self) -> None:
        """Flush the journal, if that is possible: its bars are safe, and reads see them there."""
        with best_effort(self._folder, "the journal is flushed later"):
            self.flush()

    def compact(self, tried: Attempt) -> int:
        """Flush the journal and merge small files; return how many files went away."""
        tried(self.flush)
        keys = [
            (symbol, timeframe)
            for symbol in self.symbols(None)
            for timeframe in tried(partial(self.timeframes, symbol)) or ()
        ]
        merged = in_parallel(lambda key: tried(partial(self._merge, key)), keys, WRITERS)
        return sum(filter(None, merged))

    def _merge(self, key: tuple[str, str]) -> int:
        self._disk.refuse_links(self._path(*key), self._folder)
        return self._settled(lambda: self._writer(*key).merge(patient=False))

    def issues(self) -> Iterator[Issue | None]:
        """Yield the issue of each file, None for a whole one, and anomalies of bars."""
        journal = JournalProof(self._journal)
        proof = SeriesProof(self._disk, journal)
        found, unseen = listed(self._folder)
        yield from unseen
        for entry in found:
            path = self._folder / entry.name
            if path == self._journal.folder and entry.is_folder:
                yield from guarded(path, journal_issues(self._journal))
            elif entry.is_folder:
                yield from proof.symbol_issues(path)
            else:
                yield unexpected(path, entry)
        yield from guarded(self._folder, journal.issues())
        yield from guarded(self._folder, self._hidden_issues())
        yield from guarded(self._history.folder, self._history.issues())

    def close(self) -> None:
        """Flush what this store has written to the journal, and close its files."""
        if self._appended:
            self._appended = False
            self._try_to_flush()
        self._journal.close()
        self._decoded.close()

    def _series(self, symbol: str, timeframe: str) -> Series:
        folder = self._path(symbol, timeframe)
        return Series(folder, symbol, timeframe, self._disk, self._journal, self._decoded)

    def _bypassing(self, symbol: str, timeframe: str) -> Series:
        """Return a series of which nothing is kept decoded."""
        folder = self._path(symbol, timeframe)
        return Series(folder, symbol, timeframe, self._disk, self._journal)

    def _writer(self, symbol: str, timeframe: str) -> SeriesWriter:
        return SeriesWriter(self._series(symbol, timeframe), self._lock_timeout, self._history)

    def _path(self, symbol: str, timeframe: str) -> Path:
        return _in_timeframe(_symbol_folder(self._folder, symbol), timeframe)

    def _series_in(self, folder: Path, timeframe: str | None) -> list[Path]:
        """Return the folders of a symbol's series, of one timeframe or all that there may be."""
        if timeframe is not None:
            return [_in_timeframe(folder, timeframe)]
        return [folder, *self._disk.folders(folder)]

    def _has_partitions(self, folder: Path) -> bool:
        layout = layout_of(self._disk.names(folder))
        return bool(layout.partitions) and not (layout.renaming and self._is_hidden(folder))

    def _is_hidden(self, folder: Path) -> bool:
        """Return whether a rename says that the files in a marked folder do not count."""
        symbol = folder.relative_to(self._folder).parts[0]
        return self.renames.hides(symbol)

    def _metadata(self, folder: Path) -> Metadata:
        """Return the metadata of a partition, for a folder whose name is only a hash (law N1)."""
        metadata = any_metadata(self._disk, folder)
        if metadata is None:
            raise StorageError(f"{folder}: its files vanished while they were read", folder)
        return metadata


def _without(symbols: list[str], found: list[Pieces | None]) -> list[str]:
    """Return the symbols of which nothing was found."""
    return [symbol for symbol, each in zip(symbols, found, strict=True) if each is None]


@lru_cache(maxsize=32_768)
def _symbol_folder(prices: Path, symbol: str) -> Path:
    # Cached: joining a path costs as much as opening the file.
    return prices / SYMBOLS.encode(symbol)


def _below(folder: Path, name: str) -> Path:
    return folder / name if name else folder


def _in_timeframe(folder: Path, timeframe: str) -> Path:
    return folder if timeframe == _DAILY else folder / TIMEFRAMES.encode(timeframe)
