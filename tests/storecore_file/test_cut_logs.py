"""A log that was cut at any byte is found out, before and after it is written on (law D5)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
import pytest

from storecore import OrderResult
from storecore_file import FileDataStore

JAN_5 = datetime(2026, 1, 5, tzinfo=UTC)
ALL = datetime.min, datetime.max


class Log(NamedTuple):
    """How a number is written to a kind of log, how all are read, and where the log lies."""

    write: Callable
    read: Callable
    files: str


@pytest.fixture
def logs(bar, event, decision, order):
    names = bar().__struct_fields__

    def table(number):
        day = JAN_5 + timedelta(number)
        rows = [bar(day, float(number), symbol=symbol) for symbol in ("AAPL", "MSFT")]
        return pa.table({name: [getattr(row, name) for row in rows] for name in names})

    return {
        "events": Log(
            lambda store, n: store.write_event(event(payload={"n": n})),
            lambda store: [each.payload["n"] for each in store.read_events(*ALL)],
            "events/*.jsonl",
        ),
        "journal": Log(
            lambda store, n: store.write_bar_table(table(n)),
            lambda store: [int(each.close) for each in store.read_bars("AAPL", *ALL)],
            "prices/.journal/*.jsonl",
        ),
        "decisions": Log(
            lambda store, n: store.log_decision("value", decision(reasoning=str(n))),
            lambda store: [int(each.decision.reasoning) for each in store.read_decisions(*ALL)],
            "audit/decisions/*.jsonl",
        ),
        "orders": Log(
            lambda store, n: store.log_order(
                "value", order(quantity=n), OrderResult("1", "filled")
            ),
            lambda store: [int(each.order.quantity) for each in store.read_orders(*ALL)],
            "audit/orders/*.jsonl",
        ),
    }


KINDS = ["events", "journal", "decisions", "orders"]
LINES = 3


def cuts(content, every):
    """Return the lengths to cut a log to: some, and those around the ends of its lines."""
    ends = [at for at, byte in enumerate(content, 1) if byte == ord("\n")]
    near = {end + off for end in (0, *ends) for off in (-2, -1, 0, 1)}
    return sorted({*near, *range(0, len(content), every)} & {*range(len(content))})


@pytest.mark.parametrize("every", [61, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("kind", KINDS)
def test_d5_a_log_that_is_cut_at_any_byte_is_found_before_and_after_the_next_write(
    base, logs, kind, every, caplog
):
    log, opened = logs[kind], lambda: FileDataStore(base, durability="os")
    store = opened()  # left open: closing it would fold the journal
    for number in range(LINES):
        log.write(store, number)
    (path,) = base.glob(log.files)
    kept, content = shutil.copytree(base, base.with_name("kept")), path.read_bytes()
    wrong = []
    for length in cuts(content, every):
        shutil.rmtree(base)
        shutil.copytree(kept, base)
        path.write_bytes(content[:length])
        left = content[: length + 1].count(b"\n")  # one that lacks its newline alone is there
        before = opened().verify()
        writer = opened()
        log.write(writer, LINES)
        after = writer.verify()
        found = [finding.kind for finding in before.findings]
        if found != ["truncated"]:
            wrong.append((length, "before", found))
        # The journal goes on in another file; the cut one is a finding until it is folded.
        if after.ok != (left == LINES and kind != "journal"):
            wrong.append((length, "after", after.findings))
        if log.read(writer) != [*range(left), LINES]:
            wrong.append((length, "read", log.read(writer)))
    assert wrong == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_lacks_its_newline_and_was_never_acknowledged_is_a_note(base, logs, kind, caplog):
    """As a crash may leave it, before anything else has followed."""
    log, store = logs[kind], FileDataStore(base)
    for number in range(LINES):
        log.write(store, number)
        if number == LINES - 2:
            (path,) = base.glob(log.files)
            beside = [each for each in path.parent.iterdir() if each.name in (".ends", ".head")]
            behind = {each: each.read_bytes() for each in beside}
    for each, content in behind.items():
        each.write_bytes(content)
    path.write_bytes(path.read_bytes()[:-1])
    crashed = FileDataStore(base)
    report = crashed.verify()
    assert report.findings == ()
    assert [(each.kind, each.detail) for each in report.notes] == [
        ("torn", "its last line lacks its newline")
    ]
    assert log.read(crashed) == [0, 1, 2]
    (action,) = crashed.repair().actions
    assert action.endswith(f"{path.name} behind a newline")
    assert crashed.verify() == FileDataStore(base).verify()
    assert not crashed.verify().notes
    log.write(crashed, 3)
    assert log.read(crashed) == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", ["decisions", "orders"])
def test_a3_a_newline_that_is_cut_from_a_day_before_the_last_is_found(
    base, logs, kind, monkeypatch
):
    log, store = logs[kind], FileDataStore(base)
    for day in range(2):
        clock = type("Clock", (), {"now": staticmethod(lambda zone, d=day: JAN_5 + timedelta(d))})
        monkeypatch.setattr("storecore_file.audit.log.datetime", clock)
        log.write(store, day)
    first, _ = sorted(base.glob(log.files))
    first.write_bytes(first.read_bytes()[:-1])
    (found,) = store.verify_audit().findings
    assert (found.kind, found.file, found.line) == ("truncated", str(first), 1)
    assert found.detail == "the newline of record 1 was cut off"
    assert log.read(store) == [0, 1]
