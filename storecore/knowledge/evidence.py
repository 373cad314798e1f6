"""Evidence: a segment of the log with its receipts and the rows that were read, as files.

`verifier.py` is among the files. It verifies them without storecore; RECEIPTS.md defines them.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from math import isfinite
from struct import pack
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import Struct

from storecore.audit.records import Place
from storecore.audit.transfer import LOGS
from storecore.errors import InvalidData, StorageError
from storecore.knowledge.checksums import KINDS, records_of
from storecore.knowledge.replay import Record, reads_of, seen
from storecore.knowledge.verifier import FORMAT, MANIFEST, RECEIPTS
from storecore.models import PriceBar, Read
from storecore.protocols import DataStore, Transfer
from storecore.reports.version import __version__
from storecore.store.digests import canonical
from storecore.values.times import TimeRange, exact_instant, to_datetime

if TYPE_CHECKING:
    import pyarrow as pa

_Files = Iterator[tuple[str, bytes]]
VERIFIER = "verify.py"


class Segment(NamedTuple):
    """The lines of a log from the first to the last record of a range, without a gap.

    `before` is the line before the first one, empty if there is none: it proves where they begin.
    """

    log: str
    lines: list[bytes]
    before: bytes

    def manifest(self) -> dict[str, Any]:
        """Return where the segment begins and ends in its chain."""
        if not self.lines:
            return {"first": 1, "prev": "", "last": 0, "hash": "", "before": ""}
        first, last = (msgspec.json.decode(self.lines[row], type=Place) for row in (0, -1))
        begin = {
            "first": first.seq,
            "prev": first.prev,
            "before": self.before.decode().rstrip("\n"),
        }
        return {**begin, "last": last.seq, "hash": last.hash}

    def records(self) -> list[Record]:
        """Return the records of the lines."""
        return [msgspec.json.decode(each, type=LOGS[self.log]) for each in self.lines]


class _Timed(Struct):
    timestamp: datetime


def evidence(store: DataStore, span: TimeRange) -> _Files:
    """Yield the files of the evidence of a range of time: name and content, the manifest last.

    Raises `StorageError` if the store cannot give its log as it was logged.
    """
    if not isinstance(store, Transfer):
        raise StorageError(
            f"{store!r} lacks the capability Transfer, so it cannot give the lines of its log; "
            "copy it to a store that has it"
        )
    segments = [segment(store, log, span) for log in LOGS]
    digests: dict[str, str] = {}
    for name, content in _contents(store, segments):
        if name not in digests:
            digests[name] = sha256(content).hexdigest()
            yield name, content
    manifest = {
        "format": FORMAT,
        "storecore": __version__,
        "created_at": datetime.now(UTC),
        "start": to_datetime(span.first, aware=True),
        "end": to_datetime(span.last, aware=True),
        "logs": {each.log: each.manifest() for each in segments},
        "files": digests,
    }
    yield MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def segment(store: Transfer, log: str, span: TimeRange) -> Segment:
    """Return the lines of a log from the first to the last record that was logged in a range."""
    first, last = (to_datetime(at, aware=True) for at in span[:2])
    lines: list[bytes] = []
    before = b""
    after: list[bytes] = []  # the last one in the range
    for each in store.iter_audit(log):
        if first <= msgspec.json.decode(each.line, type=_Timed).timestamp <= last:
            lines += [*after, each.line]
            after = []
        elif lines:
            after.append(each.line)
        else:
            before = each.line
    return Segment(log, lines, before)


def _contents(store: DataStore, segments: list[Segment]) -> _Files:
    receipts: list[bytes] = []
    for each in segments:
        yield f"{each.log}.jsonl", b"".join(each.lines)
        for record in each.records():
            for number, read in enumerate(reads_of(record)):
                rows = list(_rows_of(store, read, record.run))
                yield from rows
                named = rows[0][0] if rows else None
                given = json.dumps((record.reads or [])[number], ensure_ascii=False)
                known = {"log": each.log, "seq": record.seq, "read": number, "rows": named}
                line = {**known, "receipt": msgspec.Raw(given.encode())}
                receipts.append(msgspec.json.encode(line) + b"\n")
    yield RECEIPTS, b"".join(receipts)
    yield VERIFIER, files("storecore.knowledge").joinpath("verifier.py").read_bytes()


def _rows_of(store: DataStore, read: Read, run: str | None) -> _Files:
    """Yield the files of the rows of a read, nothing if what was read is gone."""
    try:
        found = seen(store, read, run)
    except InvalidData:  # a read of a later release, which is still proven to be in the log
        return
    if found is not None:
        content = b"".join(each + b"\n" for each in lines_of(found.answer))
        name = f"rows/{sha256(content).hexdigest()[:32]}"
        yield f"{name}.jsonl", content
        if _is_bars(found.answer):
            yield f"{name}.parquet", _parquet(found.answer)


def lines_of(answer: Any) -> Iterator[bytes]:
    """Yield the rows of an answer as lines of JSON."""
    if hasattr(answer, "schema"):
        yield from _table_lines(answer)
    elif _is_bars(answer):
        yield from map(_bar_line, answer)
    else:
        yield from records_of(answer)


def _is_bars(answer: Any) -> bool:
    if isinstance(answer, list):
        return bool(answer) and isinstance(answer[0], PriceBar)
    return hasattr(answer, "schema")


def _bar_line(bar: PriceBar) -> bytes:
    extra = {
        name: {"kind": KINDS[type(value)], "value": _plain(value)}
        for name, value in (bar.extra or {}).items()
    }
    fields = {name: getattr(bar, name) for name in bar.__struct_fields__}
    return canonical({**fields, "date": _plain(bar.date), "extra": extra})


def _table_lines(table: pa.Table) -> Iterator[bytes]:
    """Yield the columns of a table with their types, then its rows."""
    yield canonical({"columns": [[name, _kind(name, table[name])] for name in table.column_names]})
    columns = [map(_plain, column.to_pylist()) for column in table.columns]
    yield from map(canonical, zip(*columns, strict=True))


def _kind(name: str, column: pa.ChunkedArray) -> str:
    """Return the type of a column, as RECEIPTS.md names it."""
    from pyarrow import types

    if name == "volume":
        return "number"
    if types.is_timestamp(column.type):
        return "timestamp"
    return {"double": "float64"}.get(str(column.type), str(column.type))


def _plain(value: Any) -> Any:
    """Return a value as JSON: a time in UTC, a float that is not finite as its 16 hex digits."""
    if isinstance(value, datetime):
        return to_datetime(exact_instant(value, "date"), aware=True)
    if isinstance(value, float) and not isfinite(value):
        return pack("<d", value).hex()
    return value


def _parquet(answer: Any) -> bytes:
    """Return bars as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if isinstance(answer, list):
        names = sorted({name for bar in answer for name in bar.extra or ()})
        columns = {
            name: [getattr(bar, name) for bar in answer] for name in PriceBar.__struct_fields__[:7]
        }
        columns |= {name: [(bar.extra or {}).get(name) for bar in answer] for name in names}
        is_whole = all(isinstance(each, int | None) for each in columns["volume"])
        kinds = {"volume": pa.int64() if is_whole else pa.float64()}
        answer = pa.table({name: pa.array(each, kinds.get(name)) for name, each in columns.items()})
    out = io.BytesIO()
    pq.write_table(answer, out)
    return out.getvalue()
