"""What the tests of the file backend share: a store, records to put into it, faults to meet."""

from __future__ import annotations

import errno
import gc
import os
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from storecore_file import FileDataStore, bar_file, bars, series_writer, streaming, tiling
from storecore_file.parts import layout_of

JAN_5 = datetime(2026, 1, 5)


@pytest.fixture
def base(tmp_path):
    """The folder of `store`."""
    return tmp_path / "data"


@pytest.fixture
def store(base):
    """An open store of files."""
    with FileDataStore(base_path=base) as opened:
        yield opened


@pytest.fixture
def always():
    """Bounds that take in everything, in UTC."""
    return datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@pytest.fixture
def small(monkeypatch):
    """Make sizes so small that a few bars are split, merged, journaled and folded."""
    sizes = {
        tiling: {
            "PART_ROWS": 20,
            "OPEN_ROWS": 5,
            "PART_BYTES": 6_000,
            "SMALL_BYTES": 2_400,
            "RATIO": 1,
        },
        series_writer: {"PART_ROWS": 20},
        bar_file: {"GROUP_ROWS": 8},
        bars: {"FEW_ROWS": 3, "MANY_SERIES": 2, "JOURNAL_BYTES": 2_000},
        streaming: {"_AT_ONCE": 2},
    }
    for module, values in sizes.items():
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)


@pytest.fixture
def whole_layout():
    """Check the folders of a store: parts that hold what they say, and nothing beside them."""

    def check(base, torn=False):
        hidden = [path.name for path in (base / "prices").rglob(".*.tmp")]
        assert not hidden or torn, f"left behind: {hidden}"
        for folder in {path.parent for path in (base / "prices").rglob("*.parquet")}:
            layout = layout_of(os.listdir(folder), folder)
            assert not layout.leftovers, f"left behind: {layout.leftovers}"
            for part in layout.parts:
                dates = pq.read_table(folder / part.name, columns=["date"])["date"]
                instants = dates.cast("int64").to_pylist()
                assert instants == sorted(set(instants)), part
                assert all(part.first <= at <= part.last for at in instants), part

    return check


@pytest.fixture
def flipped_bytes():
    """Yield once for each byte of a file, one of its bits flipped meanwhile."""

    def each(path):
        whole = path.read_bytes()
        for position in range(len(whole)):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << position % 8
            path.write_bytes(damaged)
            yield position

    return each


@pytest.fixture(scope="session")
def collected():
    """Nothing that other tests have left open, which would be closed while a fault is in place."""
    gc.collect()


@pytest.fixture
def failing(monkeypatch, collected):
    """Make a function of `os` fail like a full disk or a broken one, from its nth call on.

    With `only` it fails in that call alone, counted from 0.
    """

    def fail(name, code=errno.EIO, after=0, only=None):
        real, calls = getattr(os, name), []

        def broken(*args, **kwargs):
            calls.append(args)
            if len(calls) > after if only is None else len(calls) == only + 1:
                raise OSError(code, os.strerror(code))
            return real(*args, **kwargs)

        if name == "close":
            gc.collect()
        gc.disable()  # what others have left must not meet the fault
        monkeypatch.setattr(os, name, broken)

    yield fail
    monkeypatch.undo()
    gc.enable()


@pytest.fixture
def syscalls(monkeypatch):
    """The calls that write, sync and rename from now on, as (name, file name)."""
    calls, opened = [], {}

    def watch(name, label):
        real = getattr(os, name)

        def call(*args, **kwargs):
            result = real(*args, **kwargs)
            calls.append((name, label(args, result)))
            return result

        monkeypatch.setattr(os, name, call)

    real_open = os.open

    def open_file(path, *args, **kwargs):
        file = real_open(path, *args, **kwargs)
        opened[file] = os.path.basename(path)
        return file

    monkeypatch.setattr(os, "open", open_file)
    for name in ("write", "pwrite", "fsync", "fdatasync", "ftruncate"):
        watch(name, lambda args, _: opened[args[0]])
    for name in ("rename", "replace"):
        watch(name, lambda args, _: os.path.basename(args[1]))
    for name in ("unlink", "remove"):
        watch(name, lambda args, _: os.path.basename(args[0]))
    return calls
