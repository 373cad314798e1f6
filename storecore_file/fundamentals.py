"""The fundamentals of a store: a folder a symbol, a JSON document a timestamp, sorted by name.

    fundamentals/AAPL/2026-01-05T21-30-00.000000Z.json

The name is the instant in UTC, so the latest document not after a moment is found by name alone. A
document replaces the one of the same instant whole, so writers need no lock.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from storecore.errors import CorruptData, StorageError
from storecore.fundamentals import decode_fundamental, encode_fundamental
from storecore.models import FundamentalData
from storecore.store.collections import FundamentalCollection
from storecore.values.times import TimeRange, exact_instant, to_datetime
from storecore_file.fs.disk import Disk
from storecore_file.fs.names import SYMBOLS, is_hashed
from storecore_file.fs.rollback import replace_all
from storecore_file.fs.seal import decode_errors, sealed, unsealed
from storecore_file.fs.stat import type_at
from storecore_file.integrity import QUARANTINE, Files, Issue, folder_issues, listed, unexpected
from storecore_file.rename_intent import MARK, Renames, is_marked
from storecore_file.store_format import EXTRA, StoreFormat

_DOCUMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}\.\d{6}Z\.json")
_MARK = re.compile(re.escape(MARK))
_NAME = "%Y-%m-%dT%H-%M-%S.%fZ.json"
_LISTINGS = 10  # a listed document may be gone: a repair has moved it, say
_STAMP = len("2026-01-05T21-30-00.000000Z.json")


class Fundamentals(FundamentalCollection):
    """The fundamentals of a store, in one folder. Symbols are checked names."""

    def __init__(self, folder: Path, disk: Disk, number: StoreFormat) -> None:
        self._folder = folder
        self._disk = disk
        self._format = number
        self.renames = Renames(disk, folder.parent)

    def write(self, batch: list[FundamentalData]) -> None:
        """Insert or replace checked documents: all of them or, on an error, none."""
        given = {self._path(data): data for data in batch}  # the last one of an instant counts
        self._settle({data.symbol for data in batch})
        if any(data.extra is not None for data in batch):
            self._format.require(EXTRA)
        if len(given) == 1:
            return self._replace(*given.popitem())
        self._disk.make_folders({path.parent for path in given}, within=self._folder)
        documents = ((path, sealed(encode_fundamental(data))) for path, data in given.items())
        return replace_all(self._disk, documents)

    def _replace(self, path: Path, data: FundamentalData) -> None:
        self._disk.make_folder(path.parent, within=self._folder)
        self._disk.replace(path, sealed(encode_fundamental(data)))

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

    def _vanished(self, symbol: str) -> StorageError:
        folder = self._folder_of(symbol)
        return StorageError(f"{folder}: its files vanished while they were read", folder)

    def delete(self, symbol: str, span: TimeRange) -> int:
        """Remove the documents of a symbol and range, all or none; return their number."""
        self._settle({symbol})
        paths = self._paths(symbol, span)
        if paths:
            self._disk.refuse_links(self._folder_of(symbol), self._folder)
            replace_all(self._disk, (), paths)
        return len(paths)

    def copy_symbol(self, old: str, new: str) -> None:
        """Write all documents of a symbol under another one, whose folder is marked."""
        found = filter(None, map(self._document, self._raw_paths(old)))
        copies = [replace(data, symbol=new) for data in found]
        replace_all(
            self._disk, ((self._path(data), sealed(encode_fundamental(data))) for data in copies)
        )

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
        content = self._disk.read(path)
        if content is None:
            return None
        with decode_errors(path, "document"):
            data = decode_fundamental(unsealed(content))
        own_name = _document_name(exact_instant(data.timestamp, "timestamp"))
        if (SYMBOLS.encode(data.symbol), own_name) != (path.parent.name, path.name):
            raise CorruptData(f"{path}: found the document {own_name} of {data.symbol!r}", path)
        return data


def _document_name(instant: int) -> str:
    # strftime does not pad years before 1000 on every platform
    return to_datetime(instant, aware=False).strftime(_NAME).rjust(_STAMP, "0")
