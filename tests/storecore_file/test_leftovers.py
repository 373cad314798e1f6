"""A call that a signal handler interrupts leaves no hidden file, while its process lives."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow as pa
import pytest

from storecore_file import FileDataStore
from storecore_file.fs.disk import Disk

JAN_5 = datetime(2026, 1, 5)
ALL = datetime.min, datetime.max


def leftovers(base):
    return [path for path in base.rglob(".*") if path.suffix in (".tmp", ".rollback")]


@pytest.fixture
def changes(bar, event, fundamental):
    """Calls that stage files, with what is there before each."""

    def table(close, symbols=("AAPL", "MSFT"), days=40):
        rows = [
            bar(JAN_5 + timedelta(day), close, symbol=symbol)
            for symbol in symbols
            for day in range(days)
        ]
        names = rows[0].__struct_fields__[:7]
        return pa.table({name: [getattr(row, name) for row in rows] for name in names})

    def filings(cik):
        return [fundamental(JAN_5 + timedelta(day), cik=cik) for day in range(3)]

    def events():
        return [event(JAN_5 + timedelta(day)) for day in range(3)]

    def fill(store):
        store.write_bar_table(table(1.0))
        store.write_fundamentals(filings("1"))
        if not store.read_events(*ALL):
            store.write_events(events())

    def rename(store):
        old, new = ("AAPL", "NEW") if "AAPL" in store.symbols() else ("NEW", "AAPL")
        store.rename_symbol(old, new)

    day_0 = JAN_5, JAN_5 + timedelta(1)
    calls = {
        "bars": lambda store: store.write_bars("AAPL", [bar(JAN_5, 2.0)]),
        "history": lambda store: store.write_bar_table(table(2.0)),
        "replaced series": lambda store: store.write_bar_table(table(2.0), replace=True),
        "deleted bars": lambda store: store.delete_bars("AAPL", *day_0),
        "flushed journal": lambda store: (
            store.write_bar_table(table(3.0, days=2)),
            store.compact(),
        ),
        "deleted events": lambda store: store.delete_events(*day_0),
        "sealed days": lambda store: (store.write_events(events()), store.compact()),
        "fundamentals": lambda store: store.write_fundamentals(filings("2")),
        "deleted fundamentals": lambda store: store.delete_fundamentals("AAPL", *day_0),
        "renamed symbol": rename,
        "state": lambda store: store.save_strategy_state("value", {"n": 1}),
    }
    return fill, calls


CHANGES = [
    "bars",
    "history",
    "replaced series",
    "deleted bars",
    "flushed journal",
    "deleted events",
    "sealed days",
    "fundamentals",
    "deleted fundamentals",
    "renamed symbol",
    "state",
]


SOAK = pytest.mark.soak


@pytest.mark.parametrize(
    ("step", "after"),
    [
        ("stage", True),
        ("keep", True),
        ("drop", False),
        *(
            pytest.param(step, after, marks=SOAK)
            for step, after in [
                ("stage", False),
                ("keep", False),
                ("drop", True),
                ("discard", True),
                ("discard", False),
                ("exchange", True),
                ("exchange", False),
            ]
        ),
    ],
)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_is_interrupted_beside_a_step_leaves_no_hidden_file(
    base, changes, change, step, after, monkeypatch
):
    """Before a step or after it, at its first and at its second time."""
    fill, calls = changes
    real = getattr(Disk, step)
    for times in (1, 2):
        with FileDataStore(base / str(times), durability="os", lock_timeout=1) as store:
            fill(store)
            left = times

            def interrupted(self, *args):
                nonlocal left
                left -= 1
                if left == 0 and not after:
                    raise KeyboardInterrupt
                result = real(self, *args)
                if left == 0 and after:
                    raise KeyboardInterrupt
                return result

            with monkeypatch.context() as patch:
                patch.setattr(Disk, step, interrupted)
                try:
                    calls[change](store)
                except KeyboardInterrupt:
                    assert leftovers(base) == []
            calls[change](store)
            assert store.verify().findings == ()


@SOAK
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_is_interrupted_at_any_step_leaves_no_hidden_file(
    base, changes, change, interrupted_at_each_step
):
    fill, calls = changes
    with FileDataStore(base, durability="os", lock_timeout=1) as store:
        fill(store)
        found = []
        for _ in interrupted_at_each_step(lambda: calls[change](store), 37, 1):
            found += leftovers(base)
            if change != "renamed symbol":  # it goes to and fro
                fill(store)
        assert found == []
