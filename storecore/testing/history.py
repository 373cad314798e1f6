"""Law P3: any history of writes and reads, beside the memory backend: both answer alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from storecore.builtin.memory import MemoryDataStore
from storecore.errors import StoreError
from storecore.models import OrderResult
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
    json_values,
    sent,
    text,
)
from storecore.values.times import instant

HISTORIES, STEPS = 15, 20
FEW_HISTORIES = 6
_ASKED = (
    *("delete_events", "delete_fundamentals", "rename_symbol", "fundamentals", "inventory"),
    *("read_bars", "read_events", "write_bar_table"),
)
moments = st.integers(-6, 60).map(lambda step: NOON + step * timedelta(hours=6))
bounds = moments | moments.map(lambda moment: moment.date())
closes = st.floats()  # NaN and infinity too: both must refuse them
series = st.sampled_from(["A", "a"])
kinds = st.sampled_from(["news", "split"])
numbers = st.sampled_from([1, 1.5, -2, Decimal("0.1"), Decimal(10), True, "1", None, float("nan")])
identifiers = st.sampled_from([1, "1", 2**63, 1.0, True, None])


class HistoryLaws(Fixtures):
    """All laws at once, against the reference."""

    def test_p3_any_history_reads_as_in_the_memory_backend(
        self, subject: Recorder, declared: frozenset[str], fresh_name: Callable[[], str]
    ) -> None:
        """Whatever is written in whatever order, good or bad, is answered alike."""
        run_state_machine_as_test(
            cast(Any, lambda: _Beside(subject, fresh_name(), "AuditTrail" in declared)),
            settings=settings(
                deadline=None,
                max_examples=min(HISTORIES, settings().max_examples),
                stateful_step_count=STEPS,
                suppress_health_check=list(HealthCheck),
            ),
        )

    def test_p3_any_history_of_deletions_reads_as_in_the_memory_backend(
        self, offering: Callable[..., Recorder], fresh_name: Callable[[], str]
    ) -> None:
        """What is removed, renamed and replaced among writes, and asked for with open bounds."""
        subject = offering(*_ASKED)
        run_state_machine_as_test(
            cast(Any, lambda: _Deleting(subject, fresh_name())),
            settings=settings(
                deadline=None,
                max_examples=min(FEW_HISTORIES, settings().max_examples),
                stateful_step_count=STEPS,
                suppress_health_check=list(HealthCheck),
            ),
        )


class _Beside(RuleBasedStateMachine):
    """The store under test and the reference, which get the same calls."""

    def __init__(self, subject: Recorder, own: str, reads_audit: bool) -> None:
        super().__init__()
        self._reads_audit = reads_audit
        self._subject, self._own = subject, own
        self._reference = MemoryDataStore()

    def _both(self, method: str, *args: Any) -> None:
        _alike(self._reference, self._subject, method, *args)

    @rule(name=series, rows=st.lists(st.tuples(moments, closes), max_size=4))
    def write_bars(self, name: str, rows: list[Any]) -> None:
        symbol = self._own + name
        self._both("write_bars", symbol, [bar(at, close, symbol=symbol) for at, close in rows])

    @rule(name=series, start=bounds, end=bounds)
    def read_bars(self, name: str, start: date, end: date) -> None:
        self._both("read_bars", self._own + name, *_in_order(start, end))

    @rule(name=series, at=moments, employees=st.none() | st.integers(0, 9))
    def write_fundamental(self, name: str, at: Any, employees: int | None) -> None:
        data = fundamental(at, symbol=self._own + name, employees=employees)
        self._both("write_fundamental", data.symbol, data)

    @rule(name=series, as_of=st.none() | bounds)
    def read_fundamental(self, name: str, as_of: Any) -> None:
        self._both("read_fundamental", self._own + name, as_of)

    @rule(kind=kinds, at=moments, value=json_values)
    def write_event(self, kind: str, at: Any, value: Any) -> None:
        self._both("write_event", event(at, type=self._own + kind, payload={"value": value}))

    @rule(start=bounds, end=bounds, asked=st.lists(kinds, max_size=2))
    def read_events(self, start: date, end: date, asked: list[str]) -> None:
        self._both("read_events", *_in_order(start, end), [self._own + kind for kind in asked])

    @rule(name=series, state=st.dictionaries(text, json_values, max_size=2))
    def save_strategy_state(self, name: str, state: dict[str, Any]) -> None:
        self._both("save_strategy_state", self._own + name, state)

    @rule(name=series)
    def load_strategy_state(self, name: str) -> None:
        self._both("load_strategy_state", self._own + name)

    @rule(name=series, weight=numbers)
    def log_decision(self, name: str, weight: Any) -> None:
        self._both("log_decision", self._own + name, decision(target_weight=weight))

    @rule(name=series, logged_by=series, quantity=numbers, order_id=identifiers)
    def log_order(self, name: str, logged_by: str, quantity: Any, order_id: Any) -> None:
        order, _ = sent(strategy_name=self._own + name, quantity=quantity)
        self._both("log_order", self._own + logged_by, order, OrderResult(order_id, "filled"))

    @rule(name=series)
    def read_audit(self, name: str) -> None:
        if self._reads_audit:  # what is logged, for their times and hashes differ
            stores = self._reference, self._subject
            expected, got = (_logged(store, self._own + name) for store in stores)
            assert got == expected, f"the log holds {got}, that of the memory backend {expected}"


class _Deleting(RuleBasedStateMachine):
    """The store under test and the reference, in which little is written and much removed.

    Symbols begin with a text of their own, so that earlier examples are not seen.
    """

    def __init__(self, subject: Recorder, own: str) -> None:
        super().__init__()
        self._subject, self._own = subject, own
        self._reference = MemoryDataStore()

    def _both(self, method: str, *args: Any, **options: Any) -> None:
        _alike(self._reference, self._subject, method, *args, **options)

    @initialize(new=st.sampled_from(["a", "b"]))
    def begin(self, new: str) -> None:
        """Begin with data, of which a day has been deleted and whose symbol has been renamed."""
        self.write_table("A", [NOON, NOON + timedelta(days=1)], replace=False)
        self.write_facts("A", [NOON, NOON + timedelta(days=1)], "news")
        self.delete_bars("A", NOON, NOON)
        self.delete_facts("A", NOON, NOON, None)
        self.rename("A", new)

    @rule(name=series, ats=st.lists(moments, min_size=1, max_size=4), replace=st.booleans())
    def write_table(self, name: str, ats: list[Any], replace: bool) -> None:
        table = bar_table([bar(at, symbol=self._own + name) for at in ats])
        self._both("write_bar_table", table, replace=replace)

    @rule(name=series, ats=st.lists(moments, min_size=1, max_size=3), kind=kinds)
    def write_facts(self, name: str, ats: list[Any], kind: str) -> None:
        symbol = self._own + name
        self._both("write_events", [event(at, symbol=symbol, type=kind) for at in ats])
        self._both("write_fundamentals", [fundamental(at, symbol=symbol) for at in ats])

    @rule(name=series, start=bounds, end=bounds)
    def delete_bars(self, name: str, start: date, end: date) -> None:
        self._both("delete_bars", self._own + name, *_in_order(start, end))

    @rule(name=series, start=bounds, end=bounds, asked=st.none() | st.lists(kinds, max_size=1))
    def delete_facts(self, name: str, start: date, end: date, asked: list[str] | None) -> None:
        span, symbol = _in_order(start, end), self._own + name
        self._both("delete_events", *span, asked, [symbol])
        self._both("delete_fundamentals", symbol, *span)

    @rule(old=series, new=st.sampled_from(["A", "a", "b"]))
    def rename(self, old: str, new: str) -> None:
        self._both("rename_symbol", self._own + old, self._own + new)

    @rule(start=st.none() | bounds, last=st.none() | st.integers(1, 3))
    def read(self, start: date | None, last: int | None) -> None:
        symbols = [self._own + name for name in ("A", "a", "b")]
        for symbol in symbols:
            self._both("read_bars", symbol, start, last=last)
            self._both("fundamentals", symbol, start)
        self._both("read_events", start, symbols=symbols)
        stores = self._reference, self._subject
        expected, got = (
            [each for each in store.inventory() if each.symbol in symbols] for store in stores
        )
        assert got == expected, f"the inventory is {got}, that of the memory backend {expected}"

    def teardown(self) -> None:
        """Compare what is left at the end of each history."""
        self.read(None, None)


def _alike(reference: Any, subject: Any, method: str, *args: Any, **options: Any) -> None:
    """Call both stores. Raise if they answer differently."""
    expected, got = (_answer(store, method, args, options) for store in (reference, subject))
    assert got == expected, (
        f"{method}{args}{options or ''} gave {got}, the memory backend {expected}"
    )


def _in_order(start: date, end: date) -> tuple[date, date]:
    """Return bounds the earlier first: the other way round both stores would refuse them."""
    return (start, end) if instant(start, "start") <= instant(end, "end") else (end, start)


def _logged(store: Any, strategy: str) -> list[str]:
    """Return what a strategy has logged as text, in which 1, 1.0 and "1" differ."""
    decided = (each.decision for each in store.read_decisions(*EVER, strategy))
    ordered = ((each.order, each.result) for each in store.read_orders(*EVER, strategy))
    return [*map(repr, decided), *map(repr, ordered)]


def _answer(store: Any, method: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Return what a store answers, or the kind of its refusal."""
    try:
        return getattr(store, method)(*args, **options)
    except StoreError as error:
        return type(error).__name__
