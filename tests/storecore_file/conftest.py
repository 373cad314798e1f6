"""What the tests of the file backend share: a store, records to put into it, faults to meet."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from storecore import Action, Decision, Event, FundamentalData, Order, OrderResult, PriceBar
from storecore_file import FileDataStore

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
def bar():
    """Make a bar of AAPL; any field can be given."""

    def make(date=JAN_5, close=100.0, **fields):
        plain = {"symbol": "AAPL", "open": 99.0, "high": 101.0, "low": 98.0, "volume": 1000}
        return PriceBar(**{**plain, "date": date, "close": close, **fields})

    return make


@pytest.fixture
def fundamental():
    """Make a fundamental of AAPL; any field can be given."""

    def make(timestamp=JAN_5, **fields):
        plain = {"symbol": "AAPL", "company_name": "Apple", "cik": "320193", "raw_xml": "<x/>"}
        return FundamentalData(**{**plain, "timestamp": timestamp, **fields})

    return make


@pytest.fixture
def event():
    """Make an event; any field can be given."""

    def make(timestamp=JAN_5, **fields):
        plain = {"type": "news", "symbol": "AAPL", "source": "feed", "payload": {"text": "up"}}
        return Event(**{**plain, "timestamp": timestamp, "ingested_at": timestamp, **fields})

    return make


@pytest.fixture
def decision():
    """Make a decision; any field can be given."""

    def make(**fields):
        plain = {"symbol": "AAPL", "action": Action.BUY, "target_weight": 0.5, "confidence": 0.9}
        return Decision(**{**plain, "reasoning": "cheap", **fields})

    return make


@pytest.fixture
def order():
    """Make an order and its result; any field of the order can be given."""

    def make(**fields):
        plain = {"strategy_name": "value", "symbol": "AAPL", "action": "BUY", "quantity": 10}
        return Order(**{**plain, "order_type": "MARKET", **fields}), OrderResult("1", "filled")

    return make


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


@pytest.fixture
def failing(monkeypatch):
    """Make a function of `os` fail like a full disk or a broken one, from its nth call on."""

    def fail(name, code=errno.EIO, after=0):
        real, calls = getattr(os, name), []

        def broken(*args, **kwargs):
            calls.append(args)
            if len(calls) > after:
                raise OSError(code, os.strerror(code))
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, broken)

    return fail


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
    for name in ("write", "fsync", "fdatasync", "ftruncate"):
        watch(name, lambda args, _: opened[args[0]])
    for name in ("rename", "replace"):
        watch(name, lambda args, _: os.path.basename(args[1]))
    for name in ("unlink", "remove"):
        watch(name, lambda args, _: os.path.basename(args[0]))
    return calls


@pytest.fixture
def script(tmp_path):
    """Start Python on a script, its arguments in `sys.argv`; whatever still runs is killed."""
    started = []

    def start(source, *args):
        process = subprocess.Popen(
            [sys.executable, "-c", source, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
