"""Laws B4, D4 and A3 of threads that write every kind of data, and of readers beside them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event as Flag
from typing import Any

from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import (
    EVER,
    NOON,
    bar,
    bar_table,
    decision,
    event,
    fundamental,
    sent,
)

WRITERS, SHARE, TIMES = 3, 6, 12
TOTAL = WRITERS * SHARE
PATIENCE = 0.5  # seconds
MINUTE = timedelta(minutes=1)


class TogetherLaws(Fixtures):
    """What several threads do to one store at once, with its every method."""

    def test_d4_threads_lose_no_fundamental(self, subject: Recorder, eager_threads: None) -> None:
        """Of one symbol, each of its own moment."""
        _by_threads(lambda n: subject.write_fundamental("AAPL", _filing(n)))
        found = [subject.read_fundamental("AAPL", NOON + n * MINUTE) for n in range(TOTAL)]
        assert found == [_filing(n) for n in range(TOTAL)]

    def test_d4_threads_lose_no_batch_of_events(
        self, having: Callable[[str], Recorder], eager_threads: None
    ) -> None:
        """Each batch is there whole."""
        bulk = having("Bulk")
        _by_threads(lambda n: bulk.write_events([event(payload={"number": n})] * 2))
        numbers = sorted(each.payload["number"] for each in bulk.read_events(*EVER))
        assert numbers == sorted([*range(TOTAL)] * 2)

    def test_d4_threads_lose_no_batch_of_fundamentals(
        self, having: Callable[[str], Recorder], eager_threads: None
    ) -> None:
        """Of two symbols each."""
        bulk, names = having("Bulk"), ("AAPL", "MSFT")
        _by_threads(lambda n: bulk.write_fundamentals([_filing(n, symbol=s) for s in names]))
        for name in names:
            found = [bulk.read_fundamental(name, NOON + n * MINUTE) for n in range(TOTAL)]
            assert found == [_filing(n, symbol=name) for n in range(TOTAL)]

    def test_d4_threads_lose_no_table(
        self, having: Callable[[str], Recorder], eager_threads: None
    ) -> None:
        """Of two symbols each."""
        tables, names = having("BarTables"), ("AAPL", "MSFT")
        _by_threads(
            lambda n: tables.write_bar_table(bar_table(_bar(n, symbol=name) for name in names))
        )
        for name in names:
            found = [each.volume for each in tables.read_bars(name, *EVER)]
            assert found == list(range(TOTAL))

    def test_d4_threads_that_delete_lose_no_write(
        self, having: Callable[[str], Recorder], eager_threads: None
    ) -> None:
        """Old bars of a series are deleted while new ones are written; none comes back."""
        bulk = having("Bulk")
        bulk.write_bars("AAPL", [_bar(-1 - n, volume=1) for n in range(TOTAL)])

        def replace(number: int) -> None:
            bulk.write_bars("AAPL", [_bar(number)])
            old = NOON - (number + 1) * MINUTE
            assert bulk.delete_bars("AAPL", old, old) == 1

        _by_threads(replace)
        assert bulk.read_bars("AAPL", *EVER) == [_bar(number) for number in range(TOTAL)]

    def test_d4_threads_log_batches_into_one_chain(
        self, having: Callable[[str], Recorder], eager_threads: None
    ) -> None:
        """Beside single records; each batch lies together."""
        trail, _ = having("AuditTrail"), having("BulkAudit")

        def log(number: int) -> None:
            name = str(number)
            trail.log_decisions(name, [decision()] * 2)
            trail.log_orders(name, [sent(strategy_name=name)] * 2)
            trail.log_decision("one", decision())

        _by_threads(log)
        assert trail.verify_audit().ok
        decided, ordered = trail.read_decisions(*EVER), trail.read_orders(*EVER)
        assert [each.seq for each in decided] == list(range(1, 3 * TOTAL + 1))
        assert [each.seq for each in ordered] == list(range(1, 2 * TOTAL + 1))
        names = [each.strategy for each in ordered]
        assert names[::2] == names[1::2], "two batches of records are interleaved"
        assert sorted(names[::2]) == sorted(map(str, range(TOTAL)))

    def test_d4_a_state_that_is_replaced_is_never_missing(
        self, subject: Recorder, eager_threads: None
    ) -> None:
        """A reader beside the writer sees the old one or the new one."""
        subject.save_strategy_state("value", {"number": 0})
        seen = _beside(
            lambda n: subject.save_strategy_state("value", {"number": n}),
            lambda: subject.load_strategy_state("value"),
        )
        assert None not in seen, "a state was missing while another was saved"

    def test_d4_a_fundamental_that_is_replaced_is_never_missing(
        self, subject: Recorder, eager_threads: None
    ) -> None:
        """A reader beside the writer sees the old one or the new one."""
        subject.write_fundamental("AAPL", fundamental())
        seen = _beside(
            lambda n: subject.write_fundamental("AAPL", fundamental(employees=n)),
            lambda: subject.read_fundamental("AAPL"),
        )
        assert None not in seen, "a fundamental was missing while it was written again"

    def test_b4_a_table_that_replaces_bars_hides_none(
        self, having: Callable[[str], Recorder], eager_threads: None
    ) -> None:
        """Neither from a list nor from a table, and each row is of one write."""
        tables, rows = having("BarTables"), range(TOTAL)
        versions = [[_bar(row, number, open=number) for row in rows] for number in range(TIMES)]
        tables.write_bar_table(bar_table(versions[0]))
        seen = _beside(
            lambda n: tables.write_bar_table(bar_table(versions[n])),
            lambda: [
                [(each.open, each.close) for each in tables.read_bars("AAPL", *EVER)],
                [(r["open"], r["close"]) for r in _table(tables)],
            ],
        )
        for read in (each for answers in seen for each in answers):
            assert len(read) == TOTAL, f"{len(read)} bars of {TOTAL} were seen"
            assert all(first == last for first, last in read), "a bar half old, half new was seen"

    def test_b4_a_delete_hides_no_other_bar(
        self, having: Callable[[str], Recorder], eager_threads: None
    ) -> None:
        """A reader beside it sees each bar that stays."""
        bulk = having("Bulk")
        kept = [_bar(number) for number in range(5)]
        bulk.write_bars("AAPL", [*kept, *(_bar(-number) for number in range(1, TIMES))])
        seen = _beside(
            lambda n: bulk.delete_bars("AAPL", NOON - n * MINUTE, NOON - n * MINUTE),
            lambda: bulk.read_bars("AAPL", NOON, EVER[1]),
        )
        assert all(each == kept for each in seen), "a bar was missing while others were deleted"

    def test_b4_a_series_that_is_replaced_is_seen_whole(
        self, offering: Callable[..., Recorder], eager_threads: None
    ) -> None:
        """All of the old series or all of the new one, though they have no date in common."""
        tables = offering("write_bar_table")
        series = [[_bar(2 * row + number % 2) for row in range(TOTAL)] for number in range(TIMES)]
        tables.write_bar_table(bar_table(series[0]))
        seen = _beside(
            lambda n: tables.write_bar_table(bar_table(series[n]), replace=True),
            lambda: (tables.read_bars("AAPL", *EVER), len(_table(tables))),
        )
        for bars, rows in seen:
            assert bars in series[:2], "a part of a series was seen while it was replaced"
            assert rows == TOTAL, f"{rows} rows of {TOTAL} were seen while they were replaced"

    def test_d4_threads_that_delete_events_lose_no_write(
        self, offering: Callable[..., Recorder], eager_threads: None
    ) -> None:
        """Old events and fundamentals are deleted while new ones are written; none comes back."""
        bulk = offering("delete_events", "delete_fundamentals")
        bulk.write_events([event(NOON - n * MINUTE) for n in range(1, TOTAL + 1)])
        bulk.write_fundamentals([_filing(-n) for n in range(1, TOTAL + 1)])

        def replace(number: int) -> None:
            old = NOON - (number + 1) * MINUTE
            bulk.write_event(event(NOON + number * MINUTE))
            assert bulk.delete_events(old, old) == 1
            bulk.write_fundamental("AAPL", _filing(number))
            assert bulk.delete_fundamentals("AAPL", old, old) == 1

        _by_threads(replace)
        expected = [NOON + n * MINUTE for n in range(TOTAL)]
        assert [each.timestamp for each in bulk.read_events(*EVER)] == expected
        known = [bulk.read_fundamental("AAPL", at) for at in (NOON - MINUTE, *expected)]
        assert known == [None, *map(_filing, range(TOTAL))]

    def test_catalog_may_be_read_while_it_grows(
        self, having: Callable[[str], Recorder], eager_threads: None
    ) -> None:
        """What was there before is listed, whatever comes meanwhile."""
        catalog = having("Catalog")
        names = [f"A{number}" for number in range(20)]
        for name in names:
            catalog.write_bars(name, [bar(symbol=name)])
            catalog.write_bars("A0", [bar(symbol="A0")], timeframe=name)
            catalog.save_strategy_state(name, {})

        def grow(number: int) -> None:
            name = f"B{number}"
            catalog.write_bars(name, [bar(symbol=name)])
            catalog.write_bars("A0", [bar(symbol="A0")], timeframe=name)
            catalog.save_strategy_state(name, {})

        seen = _beside(
            grow, lambda: [catalog.symbols(), catalog.timeframes("A0"), catalog.strategies()]
        )
        for listed in (each for answers in seen for each in answers):
            assert set(names) <= set(listed), f"not listed meanwhile: {set(names) - set(listed)}"

    def test_a3_a_log_verifies_while_it_is_written(
        self, having: Callable[[str], Recorder], eager_threads: None
    ) -> None:
        """A record that comes meanwhile is no damage."""
        trail = having("AuditTrail")

        def log(number: int) -> None:
            trail.log_decision("value", decision())
            trail.log_order("value", *sent())

        reports = _beside(log, trail.verify_audit)
        wrong = [each for each in reports if not each.ok]
        assert not wrong, f"{len(wrong)} reports of damage beside a writer: {wrong[0]}"


def _by_threads(write: Callable[[int], Any]) -> None:
    """Call a write with each number once, several of them at a time."""
    with ThreadPoolExecutor(WRITERS) as pool:
        for result in [pool.submit(write, number) for number in range(TOTAL)]:
            result.result()


def _beside(write: Callable[[int], Any], read: Callable[[], Any]) -> list[Any]:
    """Return what a thread reads, over and over, while this one writes: once in each of its reads.

    A reader that has ended, or is slow, is not waited for.
    """
    done, begun = Flag(), Flag()

    def reading() -> list[Any]:
        seen = []
        while not done.is_set():
            begun.set()
            seen.append(read())
        return seen

    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(reading)
        try:
            for number in range(1, TIMES):
                begun.clear()
                begun.wait(PATIENCE)
                write(number)
        finally:
            done.set()
        return seen.result()


def _filing(number: int, **fields: Any) -> Any:
    return fundamental(NOON + number * MINUTE, employees=number, **fields)


def _bar(number: int, close: float = 1.0, **fields: Any) -> Any:
    return bar(NOON + number * MINUTE, float(close), **{"volume": max(number, 0), **fields})


def _table(store: Any) -> Any:
    return store.read_bar_table("AAPL", *EVER).to_pylist()
