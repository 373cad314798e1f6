"""The fundamentals of a store: a folder a symbol, a JSON document a timestamp, sorted by name.

    fundamentals/AAPL/2026-01-05T21-30-00.000000Z.json

The name is the instant in UTC, so the latest document not after a moment is found by name alone. A
document replaces the one of the same instant whole. What it replaces goes into a log before:

    history/fundamentals/AAPL.jsonl

A document says when it was recorded. A line of the log names one that was replaced or deleted; it
counts only if the document that is there has another instant of recording, and of several lines for
one document the last: a crash may come between the line and the document. Writers hold one lock.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from storecore.errors import CorruptData, StorageError
from storecore.fundamentals import decode_fundamental, encode_fundamental
from storecore.knowledge.versions import Version
from storecore.models import FundamentalData
from storecore.store.collections import FundamentalCollection
from storecore.values.times import EVER, TimeRange, exact_instant, to_datetime
from storecore_file.fs.disk import Disk
from storecore_file.fs.locks import Locked
from storecore_file.fs.logs import whole_lines
from storecore_file.fs.marked_logs import MarkedLog, check_numbers, last_of
from storecore_file.fs.names import SYMBOLS, is_hashed
from storecore_file.fs.rollback import replace_all
from storecore_file.fs.seal import decode_errors, is_sealed, sealed, unsealed
from storecore_file.fs.stat import fingerprint, type_at
from storecore_file.history import FileClock, log_issues
from storecore_file.integrity import QUARANTINE, Files, Issue, folder_issues, listed, unexpected
from storecore_file.rename_intent import MARK, Renames, is_marked
from storecore_file.store_format import RECORDED, StoreFormat

_DOCUMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}\.\d{6}Z\.json")
_MARK = re.compile(re.escape(MARK))
_NAME = "%Y-%m-%dT%H-%M-%S.%fZ.json"
_LISTINGS = 10  # a listed document may be gone: a repair has moved it, say
_SUFFIX = ".jsonl"
_LOG = re.compile(r"[^.].*\.jsonl")
_RECORDED = re.compile(rb',\s*"recorded":\s*(\d+)\}\Z')
_STAMP = len("2026-01-05T21-30-00.000000Z.json")


class Fundamentals(FundamentalCollection):
    """The fundamentals of a store, in one folder. Symbols are checked names."""

    def __init__(
        self, folder: Path, disk: Disk, number: StoreFormat, lock_timeout: float, clock: FileClock
    ) -> None:
        self._folder = folder
        self._disk = disk
        self._format = number
        self._lock_timeout = lock_timeout
        self._clock = clock
        self._history = clock.folder / "fundamentals"
        self.renames = Renames(disk, folder.parent)

    def write(self, batch: list[FundamentalData]) -> None:
        """Insert or replace checked documents: all of them or, on an error, none."""
        given = {self._path(data): data for data in batch}  # the last one of an instant counts
        self._settle({data.symbol for data in batch})
        self._format.require(RECORDED)
        self._disk.make_folders({path.parent for path in given}, within=self._folder)
        with self._locked():
            old = {path: self._recorded(path) for path in given}
            new = {path: data for path, data in given.items() if not _is_same(old[path], data)}
            for folder in {path.parent for path in given.keys() - new.keys()}:
                self._disk.sync_folder(folder)  # who wrote them may have been killed before a sync
            if new:
                self._change(new, [each for path in new if (each := old[path])])

    def _change(
        self, new: Mapping[Path, FundamentalData], old: list[_Document], gone: Sequence[Path] = ()
    ) -> None:
        """Put documents in place and remove others, once what they replace is kept.

        The caller holds the lock.
        """
        last = max((each.recorded or 0 for each in old), default=0)
        with self._clock.published(last) as instant:
            self._keep(old, instant)
            contents = [(path, _encoded(data, instant)) for path, data in new.items()]
            if len(contents) == 1 and not gone:
                self._disk.replace(*contents[0])
            else:
                replace_all(self._disk, contents, gone)

    def _keep(self, old: Sequence[_Document], until: int) -> None:
        """Add documents that are replaced or deleted to the logs of their symbols, durably."""
        if not old or (not self._clock.keeps() and self._clock.prune_to(until)):
            return
        self._append(each._replace(until=until) for each in old)

    def restore(self, versions: list[Version[FundamentalData]]) -> None:
        """Take in versions of another store; those that were replaced are in the log first."""
        given = [_Document(*each) for each in versions]
        past = [each for each in given if each.until is not None]
        new = {self._path(each.data): each for each in given if each.until is None}
        self._settle({each.data.symbol for each in given})
        self._format.require(RECORDED)
        self._disk.make_folders(
            {self._folder_of(each.data.symbol) for each in given}, within=self._folder
        )
        with self._locked():
            self._append(past)
            ended = {
                path: each.recorded for each in past if (path := self._path(each.data)) not in new
            }
            gone = [path for path, at in ended.items() if self._is_held(path, at)]
            contents = [(path, sealed(each.encoded())) for path, each in new.items()]
            replace_all(self._disk, contents, gone)

    def _is_held(self, path: Path, recorded: int | None) -> bool:
        """Return whether the document of a file was recorded at an instant."""
        found = self._recorded(path)
        return found is not None and found.recorded == recorded

    def _append(self, documents: Iterable[_Document]) -> None:
        """Add documents to the logs of their symbols, durably."""
        by_symbol: dict[str, list[_Document]] = {}
        for document in documents:
            by_symbol.setdefault(document.data.symbol, []).append(document)
        self._disk.make_folder(self._history, within=self._folder.parent)
        for symbol, lines in by_symbol.items():
            path = self._log(symbol)
            self._marked(path).append(partial(_number_of, path), partial(_numbered, lines))

    def read(self, symbol: str, limit: int) -> FundamentalData | None:
        """Return the latest document not after an instant, or None."""
        folder = self._folder_of(symbol)
        for _ in range(_LISTINGS):
            names = self._names(folder)
            known = bisect_right(names, _document_name(limit))
            if not known:
                return None
            document = self._document(folder / names[known - 1])
            if document is not None:
                return document
        raise self._vanished(symbol)

    def versions(self, symbol: str, span: TimeRange) -> list[FundamentalData]:
        """Return the documents of a symbol and range, by timestamp."""
        for _ in range(_LISTINGS):
            found = list(map(self._document, self._paths(symbol, span)))
            documents = [each for each in found if each is not None]
            if len(documents) == len(found):
                return documents
        raise self._vanished(symbol)

    def symbols(self) -> list[str]:
        """Return the symbols that have documents."""
        return self.renames.between(
            lambda: [symbol for symbol, folder in self._folders().items() if self._names(folder)]
        )

    def having(self, *symbols: str) -> set[str]:
        """Return those of some symbols that have documents, without a look at other folders."""
        return {each for each in symbols if self._names(self._folder_of(each))}

    def _vanished(self, symbol: str) -> StorageError:
        folder = self._folder_of(symbol)
        return StorageError(f"{folder}: its files vanished while they were read", folder)

    def delete(self, symbol: str, span: TimeRange) -> int:
        """Remove the documents of a symbol and range, all or none; return their number."""
        self._settle({symbol})
        if not self._paths(symbol, span):
            return 0
        self._disk.refuse_links(self._folder_of(symbol), self._folder)
        with self._locked():
            paths = self._paths(symbol, span)
            old = [each for path in paths if (each := self._recorded(path))]
            if paths:
                self._change({}, old, paths)
            return len(paths)

    def copy_symbol(self, old: str, new: str, instant: int) -> None:
        """Write all documents of a symbol under another one, whose folder is marked."""
        found = [each for path in self._raw_paths(old) if (each := self._recorded(path))]
        with self._locked() if found else nullcontext():
            self._keep(found, instant)
        copies = [replace(each.data, symbol=new) for each in found]
        replace_all(self._disk, ((self._path(data), _encoded(data, instant)) for data in copies))

    def versions_of(self, symbol: str, span: TimeRange) -> list[Version[FundamentalData]]:
        """Return all versions of the documents of a symbol and range."""
        log = self._log(symbol)
        while True:
            before = fingerprint(log)
            paths = self._paths(symbol, span)
            present = [each for path in paths if (each := self._recorded(path))]
            lines = self._lines(log)
            if fingerprint(log) == before:  # else a writer has replaced documents meanwhile
                break
        there = {(each.at, each.recorded) for each in present}
        past = {(each.at, each.recorded): each for each in lines}
        kept = [each for key, each in past.items() if key not in there and _is_in(key[0], span)]
        found = [*present, *kept]
        found.sort(key=lambda each: (each.at, each.recorded or 0))
        return [(each.data, each.recorded, each.until) for each in found]

    def corrected(self, since: int) -> set[str]:
        """Return the symbols with documents that were replaced or deleted since an instant."""
        return {
            line.data.symbol
            for path in self._logs()
            for line in self._lines(path)
            if line.until is not None and line.until >= since
        }

    def prune(self, before: int) -> int:
        """Remove the versions that were replaced at or before an instant; return their number."""
        with self._locked() if self._disk.is_folder(self._folder) else nullcontext():
            return sum(self._pruned(path, before) for path in self._logs())

    def _pruned(self, path: Path, before: int) -> int:
        lines = self._lines(path)
        if not lines:
            return 0
        symbol = lines[0].data.symbol
        number = len(self.versions_of(symbol, EVER))
        kept = [each for each in lines if each.until is None or each.until > before]
        if len(kept) < len(lines):
            first = self._raw_lines(path)[-1].n - len(kept) + 1
            self._marked(path).rewrite(_numbered(kept, first))
        return number - len(self.versions_of(symbol, EVER))

    def settle_clock(self) -> None:
        """Wait for a writer that may not have seen the clock of recording, just made."""
        if self._disk.size(self._folder / ".lock") is not None:
            with self._locked():
                pass

    def _locked(self) -> Locked:
        return Locked(self._folder / ".lock", self._lock_timeout)

    def _log(self, symbol: str) -> Path:
        return self._history / f"{SYMBOLS.encode(symbol)}{_SUFFIX}"

    def _logs(self) -> list[Path]:
        names = self._disk.names(self._history)
        return [self._history / name for name in names if name.endswith(_SUFFIX)]

    def _lines(self, path: Path) -> list[_Document]:
        """Return the lines of a log. Raises `CorruptData`."""
        return [_past(line, path) for line in self._raw_lines(path)]

    def _raw_lines(self, path: Path) -> list[_Line]:
        read = whole_lines(self._disk.read(path), is_sealed)
        lines = [_decoded_line(line, path) for line in read]
        check_numbers([line.n for line in lines], path)
        return lines

    def _last(self, path: Path) -> int:
        return last_of([line.n for line in self._raw_lines(path)])

    def _marked(self, path: Path) -> MarkedLog:
        return MarkedLog(self._disk, path)

    def remove_copies(self, symbol: str, other: str) -> None:
        """Remove the documents of a symbol that equal those of another one, in a marked folder.

        Writers take no lock: one that was replaced since it was copied is a later write, and stays.
        """
        for path in self._raw_paths(symbol) if is_marked(self._raw_names(symbol)) else []:
            data = self._document(path)
            copy = self._document(self._folder_of(other) / path.name)
            if data is not None and copy is not None and replace(data, symbol=other) == copy:
                self._disk.remove(path)

    def has_files(self, symbol: str) -> bool:
        """Return whether a symbol has documents, those that a rename hides too."""
        return bool(self._raw_paths(symbol))

    def folders_to_mark(self, old: str, new: str) -> list[Path]:
        """Return the folders of two symbols, made if need be; none if the old one has none."""
        if not self._raw_paths(old):
            return []
        folders = [self._folder_of(old), self._folder_of(new)]
        self._disk.make_folders(folders, within=self._folder)
        return folders

    def marked_folders(self, *symbols: str) -> list[Path]:
        """Return the folders of symbols that a rename has marked."""
        return [self._folder_of(each) for each in symbols if is_marked(self._raw_names(each))]

    def _settle(self, symbols: set[str]) -> None:
        """Settle a rename that was interrupted, before something of its symbols is written."""
        for symbol in symbols:
            if type_at(self._folder_of(symbol) / MARK) and self.renames.concerns(symbol):
                self.renames.settle()

    def _raw_names(self, symbol: str) -> list[str]:
        return self._disk.names(self._folder_of(symbol))

    def _raw_paths(self, symbol: str) -> list[Path]:
        folder, names = self._folder_of(symbol), self._raw_names(symbol)
        return [folder / name for name in names if _DOCUMENT.fullmatch(name)]

    def all(self) -> Iterator[FundamentalData]:
        """Yield all documents by symbol, then by timestamp."""
        for _, folder in sorted(self._folders().items()):
            for name in self._names(folder):
                document = self._document(folder / name)
                if document is not None:  # it was removed meanwhile
                    yield document

    def _folders(self) -> dict[str, Path]:
        """Return the folders of symbols, which may be empty."""
        symbols: dict[str, Path] = {}
        for folder in self._disk.folders(self._folder):
            symbol = SYMBOLS.decode(folder.name)
            if is_hashed(folder.name):
                symbol = self._symbol_of(folder)
            if symbol is not None:
                symbols[symbol] = folder
        return symbols

    def _symbol_of(self, folder: Path) -> str | None:
        """Return the symbol of the documents in a folder whose name is only a hash (law N1)."""
        documents = (self._document(folder / name) for name in self._names(folder))
        return next((document.symbol for document in documents if document), None)

    def issues(self) -> Iterator[Issue | None]:
        """Yield the issue of each file, None for a whole one."""
        documents = Files(_DOCUMENT, self._document, QUARANTINE)
        mark = Files(_MARK, lambda path: None)
        found, unseen = listed(self._folder)
        yield from unseen
        for entry in found:
            if entry.is_folder:
                yield from folder_issues(self._folder / entry.name, [documents, mark])
            else:
                yield unexpected(self._folder / entry.name, entry)
        if self._disk.is_folder(self._history):
            lock = f"../../{self._folder.name}/.lock"
            logs = Files(_LOG, self._lines, None, lambda name: lock, is_whole=is_sealed)
            yield from log_issues(self._disk, self._history, logs, self._last)

    def _path(self, data: FundamentalData) -> Path:
        name = _document_name(exact_instant(data.timestamp, "timestamp"))
        return self._folder_of(data.symbol) / name

    def _folder_of(self, symbol: str) -> Path:
        return self._folder / SYMBOLS.encode(symbol)

    def _paths(self, symbol: str, span: TimeRange) -> list[Path]:
        """Return the documents of a symbol and range, by timestamp."""
        folder = self._folder_of(symbol)
        first, last = _document_name(span.first), _document_name(span.last)
        return [folder / name for name in self._names(folder) if first <= name <= last]

    def _names(self, folder: Path) -> list[str]:
        names = self._disk.names(folder)
        if is_marked(names) and self.renames.hides(folder.name):
            return []
        return [name for name in names if _DOCUMENT.fullmatch(name)]

    def _document(self, path: Path) -> FundamentalData | None:
        """Return the document of a file, None if it is gone."""
        found = self._recorded(path)
        return None if found is None else found.data

    def _recorded(self, path: Path) -> _Document | None:
        """Return the document of a file and when it was recorded, None if it is gone."""
        content = self._disk.read(path)
        if content is None:
            return None
        with decode_errors(path, "document"):
            encoded, recorded = _parted(unsealed(content))
            data = decode_fundamental(encoded)
        own_name = _document_name(exact_instant(data.timestamp, "timestamp"))
        if (SYMBOLS.encode(data.symbol), own_name) != (path.parent.name, path.name):
            raise CorruptData(f"{path}: found the document {own_name} of {data.symbol!r}", path)
        return _Document(data, recorded)


class _Document(NamedTuple):
    """A document, when it was recorded (None: not known) and replaced (None: it is there)."""

    data: FundamentalData
    recorded: int | None
    until: int | None = None

    @property
    def at(self) -> int:
        """The instant of its timestamp."""
        return exact_instant(self.data.timestamp, "timestamp")

    def encoded(self) -> bytes:
        """Return the document with the instant at which it was recorded."""
        return _with_instant(encode_fundamental(self.data), self.recorded)


class _Line(Struct, frozen=True):
    """A document that was replaced or deleted."""

    document: msgspec.Raw
    until: int
    n: int


def _is_same(old: _Document | None, data: FundamentalData) -> bool:
    return old is not None and encode_fundamental(old.data) == encode_fundamental(data)


def _is_in(at: int, span: TimeRange) -> bool:
    return span.first <= at <= span.last


def _encoded(data: FundamentalData, recorded: int) -> bytes:
    return sealed(_with_instant(encode_fundamental(data), recorded))


def _with_instant(encoded: bytes, recorded: int | None) -> bytes:
    return encoded if recorded is None else b'%b,"recorded":%d}' % (encoded[:-1], recorded)


def _parted(encoded: bytes) -> tuple[bytes, int | None]:
    """Return a document without its last member, if that says when it was recorded."""
    found = _RECORDED.search(encoded)
    return (encoded, None) if found is None else (encoded[: found.start()] + b"}", int(found[1]))


def _number_of(path: Path, line: bytes) -> int:
    return _decoded_line(line, path).n


def _numbered(documents: Iterable[_Document], first: int) -> list[bytes]:
    """Return documents as lines of a log."""
    found = []
    for number, each in enumerate(documents, first):
        line = {"document": msgspec.Raw(each.encoded()), "until": each.until, "n": number}
        found.append(sealed(msgspec.json.encode(line)))
    return found


def _past(line: _Line, path: Path) -> _Document:
    with decode_errors(path, "log"):
        encoded, recorded = _parted(bytes(line.document))
        return _Document(decode_fundamental(encoded), recorded, line.until)


def _decoded_line(line: bytes, path: Path) -> _Line:
    with decode_errors(path, "log"):
        return msgspec.json.decode(unsealed(line), type=_Line)


def _document_name(instant: int) -> str:
    # strftime does not pad years before 1000 on every platform
    return to_datetime(instant, aware=False).strftime(_NAME).rjust(_STAMP, "0")
