"""Sealed days in both versions, and how to read one."""

from __future__ import annotations

from datetime import UTC
from itertools import pairwise
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storecore_file.events.history import Held
from storecore_file.events.sealed import _OLD_SCHEMA, SealedDay, encode
from storecore_file.fs.seal import sealed_parquet


@pytest.fixture
def sealed_by_an_older_release():
    """Return events, numbered from 1 or as told, as the bytes of a sealed day of version 1."""

    def seal(events, through=None, recorded=(), places=(), change=lambda table: table):
        note = {"version": 1, "through": len(events) if through is None else through}
        note["recorded"] = [b - a for a, b in pairwise([0, *recorded])]
        note["places"] = [b - a for a, b in pairwise([0, *places])]
        rows = [
            msgspec.structs.asdict(event)
            | {"payload": msgspec.json.encode(event.payload).decode()}
            | {
                name: getattr(event, name).replace(tzinfo=UTC)
                for name in ("timestamp", "ingested_at")
            }
            for event in events
        ]
        schema = _OLD_SCHEMA.with_metadata({"storecore": msgspec.json.encode(note)})
        sink = pa.BufferOutputStream()
        table = change(pa.Table.from_pylist(rows, schema=schema))
        pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
        return sealed_parquet(sink.getvalue().to_pybytes())

    return seal


@pytest.fixture
def sealed_now():
    """Return events, numbered from 1, as the bytes of a sealed day."""

    def seal(events):
        held = [Held(event, None, None, place) for place, event in enumerate(events, 1)]
        held.sort(key=lambda each: each.event.timestamp)
        return encode(held, lambda: (len(events), 0))

    return seal


class Content:
    """A file that lies in memory."""

    path = Path("events/2026-01-05.parquet")

    def __init__(self, content):
        self._content = content
        self.size = len(content)

    def read(self, start):
        return self._content[start:]

    def fill(self, view, start):
        view[:] = self._content[start : start + len(view)]


@pytest.fixture(scope="session")
def reading():
    """Use a sealed day, given its bytes, as a function does; return what that returns."""

    def read(content, use=lambda day: list(day.rows())):
        return use(SealedDay(Content(content)))

    return read
