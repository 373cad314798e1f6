"""Only `StoreError` leaves a store, whichever call of the system fails in whichever method."""

from __future__ import annotations

import errno
import shutil
from datetime import date, datetime, timedelta

import pytest

from storecore import StoreError
from storecore_file import FileDataStore

ALL = date.min, date.max
JAN_5 = datetime(2026, 1, 5)
CODES = [errno.EACCES, errno.EMFILE, errno.ENOMEM, errno.EIO, errno.ENOSPC, errno.EROFS]
LONG = "x" * 300

READS = {
    "read_bars": lambda store: store.read_bars("AAPL", *ALL),
    "read_bar_table": lambda store: store.read_bar_table(["AAPL", "MSFT", "none"], *ALL),
    "iter_bar_tables": lambda store: list(store.iter_bar_tables(["AAPL", "MSFT"], *ALL)),
    "bar_coverage": lambda store: store.bar_coverage("AAPL"),
    "bar_footprint": lambda store: store.bar_footprint("AAPL"),
    "symbols": lambda store: store.symbols(),
    "timeframes": lambda store: store.timeframes("aapl/x"),
    "strategies": lambda store: store.strategies(),
    "read_fundamental": lambda store: store.read_fundamental("AAPL"),
    "iter_fundamentals": lambda store: list(store.iter_fundamentals()),
    "read_events": lambda store: store.read_events(*ALL),
    "iter_events": lambda store: list(store.iter_events()),
    "load_strategy_state": lambda store: store.load_strategy_state("Value"),
    "state_history": lambda store: store.state_history("Value"),
    "read_decisions": lambda store: store.read_decisions(*ALL),
    "iter_audit": lambda store: list(store.iter_audit("orders")),
    "verify_audit": lambda store: store.verify_audit(),
    "verify": lambda store: store.verify(),
}

WRITES = [
    *("write_bars", "delete_bars", "write_fundamental", "write_event", "write_events"),
    *("save_strategy_state", "log_decision", "log_order", "repair", "compact"),
]


@pytest.fixture
def writes(bar, event, decision, fundamental, sent):
    later = JAN_5 + timedelta(400)
    return {
        "write_bars": lambda store: store.write_bars("AAPL", [bar(later), bar(JAN_5)]),
        "delete_bars": lambda store: store.delete_bars("AAPL", *ALL),
        "write_fundamental": lambda store: store.write_fundamental(
            "new", fundamental(symbol="new")
        ),
        "write_event": lambda store: store.write_event(event(later)),
        "write_events": lambda store: store.write_events([event(later), event()]),
        "save_strategy_state": lambda store: store.save_strategy_state("Value", {"n": 9}),
        "log_decision": lambda store: store.log_decision("value", decision()),
        "log_order": lambda store: store.log_order("value", *sent()),
        "repair": lambda store: store.repair(),
        "compact": lambda store: store.compact(),
    }


@pytest.fixture
def full(base, all_kinds):
    """A folder with all kinds of files."""
    with FileDataStore(base, durability="os") as store:
        all_kinds(store)
    return base


def attempt(base, use):
    try:
        with FileDataStore(base) as store:
            use(store)
    except StoreError as error:
        return str(error)
    return None


EVERY = pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.soak)])


@EVERY
@pytest.mark.parametrize("calls", [1, 9_999])
@pytest.mark.parametrize("name", READS)
def test_only_store_errors_leave_a_read(full, seeded, name, calls, every):
    read, step = READS[name], 5 * every
    failures = [0 for _ in seeded.each(CODES, lambda _: attempt(full, read), calls, step)]
    assert len(failures) > 2


@EVERY
@pytest.mark.parametrize("calls", [1, 9_999])
@pytest.mark.parametrize("name", WRITES)
def test_only_store_errors_leave_a_write(full, tmp_path, seeded, writes, name, calls, every):
    copy, failures = tmp_path / "copy", 0
    shutil.copytree(full, copy)
    step = every * (23 if name in ("compact", "repair") else 5)
    for _ in seeded.each(CODES, lambda _: attempt(copy, writes[name]), calls, step):
        failures += 1
        shutil.rmtree(copy)
        shutil.copytree(full, copy)
    assert failures > 2
