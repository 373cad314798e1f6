"""What callers do that no single call shows: they raise midway, read while they write, leave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from itertools import islice
from threading import Thread
from time import sleep
from typing import Any, TypeVar

import pytest

from storecore.errors import InvalidData, NotSerializable, StoreClosed
from storecore.testing import worker
from storecore.testing.answers import answers
from storecore.testing.durability import held
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import (
    EVER,
    NOON,
    bar,
    decision,
    event,
    fundamental,
    refused,
    sent,
)
from storecore.testing.worker import Job

SECONDS = 30.0  # in which a write that waits for nobody is done, however slow the machine
DAY = timedelta(days=1)
THREADS = 3
MOST = 10_000  # writes beside a close() that never comes into effect
_Record = TypeVar("_Record")


class Stopped(Exception):
    """What a caller's own generator raises."""


class BehaviourLaws(Fixtures):
    """Callers are programs, and programs do all that they may."""

    def test_b2_a_batch_that_raises_midway_changes_nothing(
        self, subject: Recorder, declared: frozenset[str]
    ) -> None:
        """The caller's error goes through, no record is written, and the next batch is."""
        for name, records in _batches(subject, declared).items():
            with pytest.raises(Stopped):
                _write(subject, name, _raising(records))
        assert _counts(subject, declared) == dict.fromkeys(_batches(subject, declared), 0)
        for name, records in _batches(subject, declared).items():
            _write(subject, name, records)
        assert set(_counts(subject, declared).values()) <= {3, 1}

    def test_b2_a_batch_may_read_the_store_that_it_is_written_to(
        self, subject: Recorder, declared: frozenset[str]
    ) -> None:
        """It waits for no lock that the write itself holds."""
        for name, records in _batches(subject, declared).items():
            _in_time(
                f"{name} of what reads the store",
                _write,
                subject,
                name,
                _reading(subject, records, declared),
            )
        assert len(subject.read_bars("AAPL", *EVER)) == 3

    def test_b2_a_batch_may_write_to_the_store_that_it_is_written_to(
        self, subject: Recorder
    ) -> None:
        """Both are there afterwards."""

        def writing() -> Iterator[Any]:
            yield bar(NOON)
            subject.write_bars("AAPL", [bar(NOON + DAY)])
            yield bar(NOON + 2 * DAY)

        _in_time("a batch that writes", subject.write_bars, "AAPL", writing())
        dates = [each.date for each in subject.read_bars("AAPL", *EVER)]
        assert dates == [NOON, NOON + DAY, NOON + 2 * DAY]

    def test_b2_a_batch_of_any_kind_may_write_to_the_store_that_it_is_written_to(
        self, subject: Recorder, declared: frozenset[str]
    ) -> None:
        """Three records of the batch and one between them; the chains are whole."""
        for name, records in _batches(subject, declared).items():
            _in_time(
                f"{name} of what writes", _write, subject, name, _writing(subject, name, records)
            )
        counts = _counts(subject, declared)
        once = {"write_bars": 3, "write_fundamentals": 1}  # the same one is there once
        assert counts == {name: once.get(name, 4) for name in counts}
        assert "AuditTrail" not in declared or subject.verify_audit().ok

    def test_b4_a_stream_left_half_read_blocks_no_writer_and_misses_no_bar(
        self, having: Callable[[str], Recorder]
    ) -> None:
        """Each bar that was there is given once, old or new, in order of time."""
        stream = having("BarStream")
        dates = [NOON + number * DAY for number in range(400)]
        stream.write_bars("AAPL", [bar(at, 1.0) for at in dates])
        tables = stream.iter_bar_tables("AAPL", *EVER, max_bytes=1_000)
        seen = next(tables).to_pylist()
        _in_time("a write beside a stream", stream.write_bars, "AAPL", [bar(dates[-1], 2.0)])
        _in_time("a write beside a stream", stream.write_bars, "AAPL", [bar(dates[0] - DAY)])
        seen += [row for table in tables for row in table.to_pylist()]
        assert [row["date"] for row in seen] == dates
        assert {row["close"] for row in seen[:-1]} == {1.0}
        left = stream.iter_bar_tables("AAPL", *EVER, max_bytes=1_000)
        next(left)
        del left  # nobody ever reads on
        _in_time("a write behind a stream", stream.write_bars, "AAPL", [bar(dates[1], 3.0)])

    def test_transfer_left_half_read_blocks_no_writer_and_misses_no_record(
        self, having: Callable[[str], Recorder]
    ) -> None:
        """Each record that was there is given once; one that came later may be."""
        transfer = having("Transfer")
        for number in range(4):
            transfer.write_fundamental("AAPL", fundamental(NOON + number * DAY))
            transfer.write_event(event(NOON + number * DAY))
            transfer.log_decision("value", decision())
        whole = {
            "fundamentals": list(transfer.iter_fundamentals()),
            "events": list(transfer.iter_events()),
            "records": list(transfer.iter_audit("decisions")),
        }
        begun = {
            "fundamentals": transfer.iter_fundamentals(),
            "events": transfer.iter_events(),
            "records": transfer.iter_audit("decisions"),
        }
        seen = {name: list(islice(records, 1)) for name, records in begun.items()}
        early = NOON - DAY
        _in_time("a filing", transfer.write_fundamental, "AAPL", fundamental(early))
        _in_time("an event", transfer.write_event, event(early))
        _in_time("a decision", transfer.log_decision, "later", decision())
        for name, records in begun.items():
            found = seen[name] + list(records)
            assert [each for each in found if each in whole[name]] == whole[name], name

    def test_l1_a_stream_ends_with_its_store(
        self, having: Callable[[str], Recorder], store: Any
    ) -> None:
        """Going on says so."""
        stream = having("BarStream")
        stream.write_bars("AAPL", [bar(NOON + number * DAY) for number in range(400)])
        tables = stream.iter_bar_tables("AAPL", *EVER, max_bytes=1_000)
        next(tables)
        store.close()
        with refused(StoreClosed, value="a stream of a closed store"):
            list(tables)

    def test_l1_a_write_beside_close_is_done_or_refused(
        self, subject: Recorder, store: Any, reopen: Callable[[], Any] | None
    ) -> None:
        """It returns, and what it wrote is there; or it raises StoreClosed."""
        done: list[int] = []

        def write(number: int) -> None:
            subject.write_event(event(payload={"number": number}))
            subject.save_strategy_state(str(number % THREADS), {"number": number})
            done.append(number)

        def write_on(first: int) -> None:
            list(map(write, range(first, MOST, THREADS)))

        writers = [Attempt(write_on, first) for first in range(THREADS)]
        while len(done) < 5 * THREADS and any(each.is_alive() for each in writers):
            sleep(0.001)
        _in_time("close() beside writes", store.close)
        for each in writers:
            each.join(SECONDS)
        wrong = {each.raised for each in writers if not isinstance(each.raised, StoreClosed)}
        assert wrong <= {None}, f"a write beside close() raised {wrong}"
        assert not any(each.is_alive() for each in writers), "a write beside close() never ends"
        if reopen is not None:
            with closing(reopen()) as again:
                kept = {each.payload["number"] for each in again.read_events(*EVER)}
            assert set(done) <= kept, f"written beside close() and lost: {set(done) - kept}"

    def test_catalog_lists_nothing_that_has_no_bars_or_no_state(
        self, having: Callable[[str], Recorder]
    ) -> None:
        """Filings, events, records, refused writes and empty batches are none."""
        catalog = having("Catalog")
        catalog.write_fundamental("FILED", fundamental(symbol="FILED"))
        catalog.write_event(event(symbol="SEEN"))
        catalog.log_decision("logged", decision(symbol="DECIDED"))
        catalog.log_order("value", *sent(symbol="SENT"))
        catalog.write_bars("EMPTY", [], timeframe="1m")
        with refused(InvalidData, value="a NaN"):
            catalog.write_bars("WRONG", [bar(symbol="WRONG", close=float("nan"))])
        with refused(NotSerializable, value="a tuple"):
            catalog.save_strategy_state("wrong", {"x": (1,)})
        assert catalog.read_bars("ASKED", *EVER) == []
        assert catalog.load_strategy_state("asked") is None
        listed = catalog.symbols(), catalog.timeframes("EMPTY"), catalog.strategies()
        assert listed == ([], [], [])

    def test_d5_what_cannot_be_read_is_an_error_and_not_an_empty_answer(
        self,
        subject: Recorder,
        store: Any,
        declared: frozenset[str],
        promised: Callable[[str], Callable[[], Any]],
    ) -> None:
        """In a process that may open no more files, every read answers as before, or raises."""
        reopen = promised("durable")
        for number in range(2):
            worker.write_all_kinds(subject, number)
        store.close()
        job = Job(reopen, 0, 0, 2, task="starve", declared=declared)
        output, _ = worker.start(job).communicate()
        wrong = output.decode().splitlines()
        assert wrong == ["done"], f"without a file to open: {wrong}"

    def test_d4_a_forked_child_goes_on_as_its_parent_does(
        self, store: Any, declared: frozenset[str], promised: Callable[[str], Callable[[], Any]]
    ) -> None:
        """They write to the store in turn; nothing is lost, and the chains are whole."""
        reopen = promised("forked")
        store.close()
        output, _ = worker.start(Job(reopen, 0, 0, 0, task="fork")).communicate()
        assert output.split() == [b"0", b"1", b"2"], f"expected 0, 1 and 2: {output.decode()}"
        with closing(reopen()) as again:
            for kind, numbers in held(again, declared, {0, 1, 2}).items():
                assert numbers == {0, 1, 2}, f"{kind}: {numbers}"
            assert len(again.read_events(*EVER)) == 3
            assert "AuditTrail" not in declared or again.verify_audit().ok

    def test_l2_a_pickled_store_is_a_store_of_the_same_place(
        self, store: Any, declared: frozenset[str], promised: Callable[[str], Callable[[], Any]]
    ) -> None:
        """What pickle makes of it reads what was written, and writes what is read."""
        import pickle

        promised("pickled")
        worker.write_all_kinds(store, 0)
        with closing(pickle.loads(pickle.dumps(store))) as copy:
            assert copy.load_strategy_state("value") == {"number": 0}
            worker.write_all_kinds(copy, 1)
        assert store.load_strategy_state("value") == {"number": 1}
        for kind, numbers in held(store, declared, {0, 1}).items():
            assert numbers == {0, 1}, f"{kind}: {numbers}"
        assert "AuditTrail" not in declared or store.verify_audit().ok


def _batches(store: Any, declared: frozenset[str]) -> dict[str, list[Any]]:
    """Return three records for each method that takes a batch of them."""
    days = [NOON + number * DAY for number in range(3)]
    found: dict[str, list[Any]] = {"write_bars": [bar(at) for at in days]}
    if "Bulk" in declared:
        found["write_events"] = [event(at) for at in days]
        found["write_fundamentals"] = [fundamental(at) for at in days]
    if {"BulkAudit", "AuditTrail"} <= declared:
        found["log_decisions"] = [decision()] * 3
        found["log_orders"] = [sent()] * 3
    return found


def _counts(store: Any, declared: frozenset[str]) -> dict[str, int]:
    """Return how many records there are for each of them (a filing at most)."""
    reads: dict[str, Callable[[], int]] = {
        "write_bars": lambda: len(store.read_bars("AAPL", *EVER)),
        "write_events": lambda: len(store.read_events(*EVER)),
        "write_fundamentals": lambda: int(store.read_fundamental("AAPL") is not None),
        "log_decisions": lambda: len(store.read_decisions(*EVER)),
        "log_orders": lambda: len(store.read_orders(*EVER)),
    }
    return {name: reads[name]() for name in _batches(store, declared)}


def _write(store: Any, name: str, records: Iterable[Any]) -> None:
    key = {"write_bars": ["AAPL"], "log_decisions": ["value"], "log_orders": ["value"]}
    getattr(store, name)(*key.get(name, []), records)


def _raising(records: list[_Record]) -> Iterator[_Record]:
    yield from records[:-1]
    raise Stopped


def _reading(store: Any, records: list[_Record], declared: frozenset[str]) -> Iterator[_Record]:
    for each in records:
        answers(store, declared)
        yield each


def _writing(store: Any, name: str, records: list[_Record]) -> Iterator[_Record]:
    """Yield records; between them the last of them is written by a call of its own."""
    yield from records[:-1]
    _write(store, name, records[-1:])
    yield records[-1]


class Attempt(Thread):
    """A call in a thread of its own, which has begun; `raised` is what it raised, if anything."""

    def __init__(self, call: Callable[..., Any], *args: Any) -> None:
        super().__init__(daemon=True)
        self._call = partial(call, *args)
        self.raised: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Make the call."""
        try:
            self._call()
        except BaseException as error:
            self.raised = error


def _in_time(what: str, call: Callable[..., Any], *args: Any) -> None:
    """Make a call that must wait for nobody, and raise nothing."""
    attempt = Attempt(call, *args)
    attempt.join(SECONDS)
    assert not attempt.is_alive(), f"{what} is not done within {SECONDS:g} s: it waits for a lock"
    assert attempt.raised is None, f"{what} raised {attempt.raised!r}"
