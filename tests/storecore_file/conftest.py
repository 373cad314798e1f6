"""What the tests of the file backend share: a store, records to put into it, faults to meet."""

from __future__ import annotations

import errno
import fcntl
import gc
import itertools
import os
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storecore_file import FileDataStore
from storecore_file.bars import collection, layout, partition, stream
from storecore_file.bars.layout import layout_of
from storecore_file.fs.disk import Disk
from storecore_file.history import FileClock

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
def clock(tmp_path):
    """The clock of recording of a store, for parts of one."""
    return FileClock(tmp_path, Disk("os"), 1.0, None, moves=True)


@pytest.fixture
def always():
    """Bounds that take in everything, in UTC."""
    return datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@pytest.fixture
def small(monkeypatch):
    """Make sizes so small that a few bars are split, merged, journaled and folded."""
    sizes = {
        layout: {
            "PARTITION_ROWS": 20,
            "OPEN_ROWS": 5,
            "PARTITION_BYTES": 6_200,
            "SMALL_BYTES": 2_600,
            "RATIO": 1,
        },
        partition: {"GROUP_ROWS": 8},
        collection: {"FEW_ROWS": 3, "MANY_SERIES": 2, "JOURNAL_BYTES": 2_000},
        stream: {"_AT_ONCE": 2},
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
            layout = layout_of(os.listdir(folder))
            assert not layout.overlap, f"left behind: {layout.partitions}"
            for part in layout.partitions:
                dates = pq.read_table(folder / part.name, columns=["date"])["date"]
                instants = dates.cast("int64").to_pylist()
                assert instants == sorted(set(instants)), part
                assert all(part.first <= at <= part.last for at in instants), part

    return check


@pytest.fixture(params=[5, pytest.param(1, marks=pytest.mark.soak)], ids=["one in five", "each"])
def flipped_bytes(request):
    """Yield once for each byte of a file, or for some, one of its bits flipped meanwhile."""

    def each(path):
        whole = path.read_bytes()
        for position in range(0, len(whole), request.param):
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


@pytest.fixture
def interrupted_at_each_step(monkeypatch):
    """Call something again and again, and interrupt it at each step in turn, until it has no more.

    Yields after each call, with what was raised (nothing if an object's end swallowed it). A step
    is where Python runs signal handlers: at the beginning of a function, and after a call of one
    that is written in C. All that was raised is kept, with its traceback and the objects in it.
    """
    kept = []
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)

    def interrupt_each(call, every=1, first=1):
        for step in itertools.count(first, every):
            steps, raised = 0, None

            def profile(frame, event, arg, step=step):
                nonlocal steps
                if event in ("call", "c_return"):
                    steps += 1
                    if steps == step:
                        sys.setprofile(None)
                        raise KeyboardInterrupt

            sys.setprofile(profile)
            try:
                call()
            except KeyboardInterrupt as error:
                raised = error
                kept.append(error)
            finally:
                sys.setprofile(None)
            if steps < step:
                return
            yield raised

    yield interrupt_each
    sys.setprofile(None)


@pytest.fixture
def all_kinds(bar, event, decision, fundamental, sent):
    """Fill an open store with all kinds of files, and leave its journal as it is."""

    def fill(store):
        for days in (0, 40):
            store.write_bars("AAPL", [bar(JAN_5 + timedelta(days))])
        store.write_bars("aapl/x", [bar(symbol="aapl/x")], timeframe="1M")
        store.write_bars("x" * 300, [bar(symbol="x" * 300)])
        store.write_fundamentals([fundamental(JAN_5 + timedelta(days)) for days in (0, 1)])
        store.write_fundamental("y" * 300, fundamental(symbol="y" * 300))
        store.write_events([event(JAN_5 + timedelta(days)) for days in (0, 1)])
        store.compact()
        store.write_events([event(JAN_5 + timedelta(days)) for days in (0, 2)])
        for number in range(3):
            store.save_strategy_state("Value", {"n": number})
        store.save_strategy_state("momentum", {"n": 0})
        store.log_decision("value", decision())
        store.log_order("value", *sent())
        rows = [bar(symbol=symbol) for symbol in ("AAPL", "MSFT", "S1", "S2")]
        names = rows[0].__struct_fields__
        store.write_bar_table(pa.table({n: [getattr(each, n) for each in rows] for n in names}))
        store._bars._appended = False  # or it would be flushed when the store is closed

    return fill


class Seeded:
    """Makes the system fail from its nth call on, for so many calls, and counts them."""

    CALLS = (
        *("open", "pread", "preadv", "fstat", "stat", "lstat", "listdir", "scandir", "lseek"),
        *("fsync", "fdatasync", "write", "pwrite", "ftruncate", "truncate", "link"),
        *("rename", "replace", "unlink", "mkdir"),
    )

    def __init__(self):
        self.count = self.failed = 0
        self._at, self._for, self._code = 0, 0, 0

    def wrapped(self, real):
        def call(*args, **kwargs):
            self.count += 1
            if self._at <= self.count < self._at + self._for:
                self.failed += 1
                if self._code is MemoryError:
                    raise MemoryError
                raise OSError(self._code, os.strerror(self._code))
            return real(*args, **kwargs)

        return call

    @contextmanager
    def failing(self, at, code, calls=1):
        """Let calls fail within, from the one number `at` on (from 1)."""
        self.count = self.failed = 0
        self._at, self._for, self._code = at, calls, code
        gc.disable()  # what others have left must not meet the fault
        with pytest.MonkeyPatch.context() as patch:
            for name in self.CALLS:
                patch.setattr(os, name, self.wrapped(getattr(os, name)))
            real = fcntl.flock
            locking = self.wrapped(real)  # unlocking never fails
            chosen = {fcntl.LOCK_UN: real}
            patch.setattr(fcntl, "flock", lambda file, how: chosen.get(how, locking)(file, how))
            try:
                yield self
            finally:
                gc.enable()

    def each(self, codes, do, calls=1, step=1):
        """Do something with each of its calls failing in turn, by one of the codes in turn.

        A larger step leaves calls out, and comes to each code and each kind of call still.
        """
        for at in itertools.count(1, step):
            code = codes[at % len(codes)]
            with self.failing(at, code, calls):
                result = do(at)
            yield at, code, result
            if not self.failed:
                return


@pytest.fixture
def seeded(collected):
    """Faults in each of the system's calls in turn."""
    return Seeded()
