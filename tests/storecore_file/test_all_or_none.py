"""Law D2 holds for a call: a write of several series, documents or days changes all or nothing.

Each case is run once to count its calls of the system, then once for each of these, which fails.
"""

from __future__ import annotations

import errno
import os
from datetime import datetime, timedelta
from types import SimpleNamespace

import pyarrow as pa
import pytest

from storecore import PriceBar
from storecore.errors import LockTimeout, StorageError
from storecore.reports import StateVersion
from storecore_file import FileDataStore

JAN_5 = datetime(2026, 1, 5)
ALL = datetime.min, datetime.max
CALLS = ("write", "fdatasync", "fsync", "replace", "unlink", "link", "open", "truncate", "mkdir")


@pytest.fixture
def calls(monkeypatch):
    """Counts calls of `os`; the one of number `broken` fails."""
    state = SimpleNamespace(count=0, broken=None, failed="")

    def counted(name, real):
        def call(*args, **kwargs):
            number, state.count = state.count, state.count + 1
            if number == state.broken:
                state.failed = name
                raise OSError(errno.EIO, "I/O error")
            return real(*args, **kwargs)

        return call

    for name in CALLS:
        monkeypatch.setattr(os, name, counted(name, getattr(os, name)))
    return state


def bars_of(symbol, days, close):
    dates = [JAN_5 + timedelta(day) for day in days]
    return [PriceBar(symbol, date, 1.0, 2.0, 0.5, close, 7) for date in dates]


def table_of(symbol, days, close):
    rows = bars_of(symbol, days, close)
    names = PriceBar.__struct_fields__[:7]
    return pa.table({name: [getattr(row, name) for row in rows] for name in names})


def states(count, newest):
    numbers = range(newest, newest - count, -1)
    return [StateVersion(number, {"n": number}) for number in numbers]


@pytest.fixture
def cases(event, decision, sent, fundamental):
    """What is there before, the act, and what is read, for each call that writes several things."""

    def filings(days, employees):
        return [
            fundamental(JAN_5 + timedelta(day), symbol=symbol, employees=employees)
            for symbol in ("AAPL", "MSFT", "MSFT")
            for day in days
        ]

    def events(days, text):
        return [event(JAN_5 + timedelta(day), payload={"text": text}) for day in days]

    def lines(log):
        with FileDataStore(log.parent / "other") as other:
            other.log_decisions("value", [decision()] * 3)
            return [each.line for each in other.iter_audit("decisions")]

    return {
        "fundamentals": (
            lambda store: store.write_fundamentals(filings([0, 1], 1)),
            lambda store: store.write_fundamentals(filings([1, 2], 2)),
            lambda store: list(store.iter_fundamentals()),
        ),
        "events of several days": (
            lambda store: store.write_events(events([0, 1], "old")),
            lambda store: store.write_events(events([0, 1, 2, 0], "new")),
            lambda store: store.read_events(*ALL),
        ),
        "decisions": (
            lambda store: store.log_decision("value", decision()),
            lambda store: store.log_decisions("value", [decision()] * 3),
            lambda store: store.read_decisions(*ALL),
        ),
        "orders": (
            lambda store: store.log_order("value", *sent()),
            lambda store: store.log_orders("value", [sent()] * 3),
            lambda store: store.read_orders(*ALL),
        ),
        "records of another store": (
            lambda store: None,
            lambda store: store.append_audit(
                "decisions", datetime.now().date(), lines(store.base_path)
            ),
            lambda store: store.read_decisions(*ALL),
        ),
        "a state with its history": (
            lambda store: [store.save_strategy_state("value", {"n": n}) for n in range(3)],
            lambda store: store.restore_state("value", states(2, 5), expect=None),
            lambda store: store.state_history("value"),
        ),
        "a state": (
            lambda store: [store.save_strategy_state("value", {"n": n}) for n in range(9)],
            lambda store: store.save_strategy_state("value", {"n": 9}),
            lambda store: store.state_history("value"),
        ),
        "a series that is replaced": (
            lambda store: store.write_bars("AAPL", bars_of("AAPL", range(400), 1.0)),
            lambda store: store.write_bar_table(table_of("AAPL", range(9, 20), 2.0), replace=True),
            lambda store: store.read_bars("AAPL", *ALL),
        ),
        "events that are deleted": (
            lambda store: [
                store.write_events(events([0, 1, 1, 2], "old")),
                store.compact(),
                store.write_events(events([1, 3], "late")),
            ],
            lambda store: store.delete_events(JAN_5 + timedelta(1), JAN_5 + timedelta(9)),
            lambda store: store.read_events(*ALL),
        ),
        "fundamentals that are deleted": (
            lambda store: store.write_fundamentals(filings([0, 1, 2], 1)),
            lambda store: store.delete_fundamentals("AAPL", JAN_5, JAN_5 + timedelta(1)),
            lambda store: list(store.iter_fundamentals()),
        ),
        "a state that is deleted": (
            lambda store: [store.save_strategy_state("value", {"n": n}) for n in range(9)],
            lambda store: store.delete_strategy_state("value"),
            lambda store: store.state_history("value"),
        ),
        "bars that are deleted": (
            lambda store: [
                store.write_bars("AAPL", bars_of("AAPL", days, 1.0))
                for days in (range(40), range(400, 440))
            ],
            lambda store: store.delete_bars("AAPL", JAN_5 + timedelta(3), JAN_5 + timedelta(420)),
            lambda store: store.read_bars("AAPL", *ALL),
        ),
    }


NAMES = [
    "fundamentals",
    "events of several days",
    "decisions",
    "orders",
    "records of another store",
    "a state with its history",
    "a state",
    "a series that is replaced",
    "events that are deleted",
    "fundamentals that are deleted",
    "a state that is deleted",
    "bars that are deleted",
]


def hidden(base):
    return [path.name for path in base.rglob(".*") if path.suffix in (".tmp", ".rollback")]


@pytest.mark.parametrize("name", NAMES)
def test_d2_whichever_call_of_the_system_fails_all_is_written_or_nothing(
    name, cases, calls, tmp_path
):
    prepare, act, read = cases[name]
    raised = 0
    for number in range(1_000):
        with FileDataStore(tmp_path / str(number), lock_timeout=1) as store:
            prepare(store)
            old = read(store)
            calls.count, calls.broken, calls.failed = 0, number, ""
            try:
                act(store)
            except StorageError:
                raised += 1
                calls.broken = None
                assert read(store) == old, f"call {number}"
                act(store)
            over, calls.broken = calls.count <= number, None
            new = read(store)
            assert new != old
            assert store.verify().ok
            # What cannot be removed stays, hidden.
            assert len(hidden(store.base_path)) <= (calls.failed == "unlink")
        if over:
            break
    assert raised > 2


def test_d2_a_batch_of_fundamentals_is_taken_back_whole_and_other_writers_wait(
    store, base, fundamental, monkeypatch
):
    def filing(day, employees):
        return fundamental(JAN_5 + timedelta(day), employees=employees)

    store.write_fundamentals([filing(0, 1), filing(1, 1)])
    real = os.replace

    def replace(source, target):
        if "01-07" in str(target):
            monkeypatch.setattr(os, "replace", real)
            with FileDataStore(base, lock_timeout=0) as other, pytest.raises(LockTimeout):
                other.write_fundamental("AAPL", filing(1, 3))
            raise OSError(errno.EIO, "I/O error")
        return real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(StorageError):
        store.write_fundamentals([filing(0, 2), filing(1, 2), filing(2, 2)])
    assert [each.employees for each in store.iter_fundamentals()] == [1, 1]


def test_a_batch_of_fundamentals_syncs_each_folder_once(store, syscalls, fundamental):
    store.write_fundamental("AAPL", fundamental())
    syscalls.clear()
    store.write_fundamentals([fundamental(JAN_5 + timedelta(day)) for day in range(1, 5)])
    assert [name for name, _ in syscalls].count("fsync") == 1


def test_the_second_name_of_a_killed_writer_is_moved_once_it_is_old(store, base, fundamental):
    store.write_fundamental("AAPL", fundamental())
    folder = base / "fundamentals" / "AAPL"
    (old,) = folder.glob("*.json")
    for made in ("00000001", "ffffffff"):
        os.link(old, folder / f".{old.name}.{made}01234567.rollback")
    assert [note.kind for note in store.verify().notes] == ["temporary"]
    assert len(store.repair().actions) == 1
    assert [name[-25:-17] for name in hidden(folder)] == ["ffffffff"]


def test_d2_a_batch_that_is_cut_short_by_a_full_disk_leaves_no_temporary_file(
    store, base, failing, fundamental
):
    failing("write", errno.ENOSPC, after=1)
    with pytest.raises(StorageError):
        store.write_fundamentals([fundamental(JAN_5 + timedelta(day)) for day in range(3)])
    assert list(store.iter_fundamentals()) == []
    assert not hidden(base)
