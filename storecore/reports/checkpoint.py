"""A checkpoint: what a store held at one time, as counts and digests, in one small document.

    {"format":1,"storecore":"0.1.0","taken_at":"2026-01-06T21:00:00Z","store":"FileDataStore",
    "bars":[
    ["AAPL","1d",5040,"2006-01-03T00:00:00Z","2025-12-31T00:00:00Z","b99ae461…",[251,…],0]
    ],"fundamentals":[…],"events":[…],"states":[…],"audit":[…],"sha256":"…"}

The digests do not depend on the backend (`storecore.store.digests`), so a copy of the store in
another backend can be checked against the same checkpoint. A checksum over the document detects
edits. It is not a signature, so keep a checkpoint where the store's writers cannot write.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from storecore.errors import CorruptData, InvalidData, StorageError, shown
from storecore.reports.display import counted, html, html_table
from storecore.reports.version import __version__

FORMAT = 1
"""The version of the format of a checkpoint that this release writes."""
_KINDS = ("bars", "fundamentals", "events", "states", "audit")
_EXPECTED = "expected a document written by `storecore checkpoint`"


class Series(Struct, frozen=True, array_like=True):
    """One series of bars. `years` counts them by year, from that of `first` on.

    `digest` is the beginning of the SHA-256 that `storecore copy` reports. `written` is a counter
    that the store increments at each write to the series (0: the store has no such counter).
    """

    symbol: str
    timeframe: str
    count: int
    first: datetime
    last: datetime
    digest: str
    years: tuple[int, ...]
    written: int = 0

    @property
    def place(self) -> str:
        """The place that a finding names."""
        return f"bars of {self.symbol} ({self.timeframe})"


class Filings(Struct, frozen=True, array_like=True):
    """All fundamentals of a symbol; see `Series` for the fields."""

    symbol: str
    count: int
    first: datetime
    last: datetime
    digest: str
    years: tuple[int, ...]

    @property
    def place(self) -> str:
        """The place that a finding names."""
        return f"fundamentals of {self.symbol}"


class EventDay(Struct, frozen=True, array_like=True):
    """The events of one day (UTC). `ingested` is the newest `ingested_at` among them."""

    day: date
    count: int
    ingested: datetime
    digest: str

    @property
    def place(self) -> str:
        """The place that a finding names."""
        return f"events of {self.day}"


class SavedState(Struct, frozen=True, array_like=True):
    """The state of a strategy."""

    strategy: str
    version: int
    digest: str

    @property
    def place(self) -> str:
        """The place that a finding names."""
        return f"state of {self.strategy}"


class LogEnd(Struct, frozen=True, array_like=True):
    """The last record of an audit log: its number and its hash, which covers all records before."""

    log: str
    seq: int
    hash: str

    @property
    def place(self) -> str:
        """The place that a finding names."""
        return f"log of {self.log}"


class Checkpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of a store: an entry for each series, symbol, day of events, state and audit log.

    `storecore` is the version of storecore that took it, `taken_at` the time (UTC), `store` the
    class of the store. `sha256` is the checksum of all other fields.
    """

    format: int = FORMAT
    storecore: str
    taken_at: datetime
    store: str
    bars: tuple[Series, ...] = ()
    fundamentals: tuple[Filings, ...] = ()
    events: tuple[EventDay, ...] = ()
    states: tuple[SavedState, ...] = ()
    audit: tuple[LogEnd, ...] = ()
    sha256: str = ""

    def __repr__(self) -> str:
        taken = f"{self.taken_at:%Y-%m-%d %H:%M:%S}Z"
        return f"Checkpoint({self.store} at {taken}, {counted(len(self.bars), 'series')})"

    def _repr_html_(self) -> str:
        entries = [each for kind in _KINDS for each in getattr(self, kind)]
        rows = (
            (each.place, getattr(each, "count", None), getattr(each, "digest", "")[:16])
            for each in entries
        )
        return html(repr(self), html_table(["entry", "records", "digest"], rows, len(entries)))

    def encoded(self) -> bytes:
        """Return the document as JSON, one entry per line."""
        fields = (f'"{name}":{self._field(name)}' for name in self.__struct_fields__)
        return f"{{{','.join(fields)}}}\n".encode()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the document to a file, atomically replacing an existing one.

        Raises `StorageError`.
        """
        target = Path(path).resolve()  # the target of a symbolic link
        temporary = target.with_name(f".{token_hex(8)}.tmp")
        if target.exists() and not target.is_file():
            raise StorageError(f"{os.fspath(path)}: expected a file, found something else", path)
        try:
            _write(temporary, self.encoded())
            temporary.replace(target)
            _sync(target.parent)
        except OSError as error:
            raise _unusable(error, path) from error
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _field(self, name: str) -> str:
        value = getattr(self, name)
        if name not in _KINDS or not value:
            return msgspec.json.encode(value).decode()
        return "[\n" + ",\n".join(msgspec.json.encode(entry).decode() for entry in value) + "\n]"


Against = str | os.PathLike[str] | Mapping[str, Any] | Checkpoint
"""A checkpoint: the path of its file, its decoded JSON or the object."""


def sealed(checkpoint: Checkpoint) -> Checkpoint:
    """Return a checkpoint with its checksum."""
    content = msgspec.json.encode(replace(checkpoint, sha256=""))
    return replace(checkpoint, sha256=sha256(content).hexdigest())


def loaded(against: Against) -> Checkpoint:
    """Return the checkpoint in a file or a document after verifying its checksum.

    Raises `StorageError` if the file cannot be read, `CorruptData` if it was changed, `InvalidData`
    if it is not a checkpoint or was taken by a later release.
    """
    if isinstance(against, Checkpoint):
        return _proven(against, "against")
    if isinstance(against, Mapping):
        return _of_mapping(against, "against")
    if not isinstance(against, str | os.PathLike):
        raise InvalidData(f"against={shown(against)}: expected a path, a Checkpoint or its mapping")
    path = os.fspath(against)
    try:
        document = msgspec.json.decode(Path(path).read_bytes())
    except OSError as error:
        raise _unusable(error, path) from error
    except MemoryError as error:
        raise StorageError(f"{path}: too large for memory: {_EXPECTED}", path) from error
    except (ValueError, RecursionError) as error:
        raise CorruptData(f"{path}: not JSON: {_EXPECTED}", path) from error
    return _of_mapping(document, path)


def _of_mapping(document: Any, place: str) -> Checkpoint:
    if not (isinstance(document, Mapping) and {"format", "storecore", "sha256"} <= {*document}):
        raise InvalidData(f"{place}: not a checkpoint of a store: {_EXPECTED}")
    number = document["format"]
    if isinstance(number, int) and number > FORMAT:
        raise InvalidData(
            f"{place}: a checkpoint of format {number}, taken by storecore "
            f"{document['storecore']}; storecore {__version__} reads up to format "
            f"{FORMAT}: use the later release"
        )
    try:
        checkpoint = msgspec.convert(dict(document), Checkpoint)
    except (ValueError, TypeError, RecursionError) as error:
        raise _changed(place) from error
    return _proven(checkpoint, place)


def _proven(checkpoint: Checkpoint, place: str) -> Checkpoint:
    if sealed(checkpoint) != checkpoint:
        raise _changed(place)
    return checkpoint


def _changed(place: str) -> CorruptData:
    return CorruptData(
        f"{place}: the checkpoint's checksum does not match, so it was edited or damaged; "
        "use another copy of it",
        place,
    )


def _unusable(error: OSError, path: str | os.PathLike[str]) -> StorageError:
    return StorageError(f"{os.fspath(path)}: {error.strerror}", path, error.errno)


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
