"""Laws L1 and L2: closing, and opening what is there."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from storecore.builtin.memory import MemoryDataStore
from storecore.errors import StoreClosed
from storecore.protocols import ADDED, CAPABILITIES
from storecore.testing.answers import answers, difference
from storecore.testing.fixtures import Fixtures
from storecore.testing.freshness import expected, written_to
from storecore.testing.recorder import Recorder
from storecore.testing.records import (
    EVER,
    bar,
    decision,
    event,
    fundamental,
    refused,
    sent,
)

OPENINGS = 8
OPEN_FILES = Path("/dev/fd")


class LifeLaws(Fixtures):
    """From opening to closing, and to opening again."""

    def test_l1_close_twice_is_fine(self, store: Any) -> None:
        """The second does nothing."""
        store.close()
        store.close()

    def test_l1_any_use_after_close_is_store_closed(
        self, store: Any, declared: frozenset[str]
    ) -> None:
        """Each of the ten methods, the context manager, and what is declared beyond them."""
        store.close()
        for name, call in {**_calls(store), **_declared_calls(store, declared)}.items():
            with refused(StoreClosed, value=f"{name} after close()"):
                call()

    def test_l1_a_closed_store_has_given_up_its_files_and_connections(
        self, store: Any, reopen: Callable[[], Any] | None
    ) -> None:
        """A process that opens and closes a store again and again has no more open than before.

        It reads each kind of data and writes a state in between. Some may stay open, such as those
        of a cache or a pool, but not more with each closing.
        """
        if reopen is None:
            pytest.skip("the suite gives no `reopen`, so a store cannot be opened again")
        if not OPEN_FILES.is_dir():
            pytest.skip("this system does not list the descriptors of a process in /dev/fd")
        store.close()
        _use_and_close(reopen())  # what is opened once in a process, whatever is opened later
        before = _open_files()
        for _ in range(OPENINGS):
            _use_and_close(reopen())
        left = _open_files() - before
        if left >= OPENINGS:
            gc.collect()  # a store may be garbage that is not collected yet
            left = _open_files() - before
        assert left < OPENINGS, (
            f"{left} descriptors more are open after a store was opened and closed {OPENINGS} times"
        )

    def test_l1_the_context_manager_closes_even_when_its_body_raises(self, store: Any) -> None:
        """And lets the error through."""
        with pytest.raises(ZeroDivisionError), store:
            raise ZeroDivisionError
        with refused(StoreClosed, value="a read after the end of `with`"):
            store.load_strategy_state("value")

    def test_l2_a_store_opened_again_holds_what_was_written(
        self,
        subject: Recorder,
        store: Any,
        declared: frozenset[str],
        reopen: Callable[[], Any] | None,
    ) -> None:
        """Records of every kind, to every question; and it goes on from there, again and again."""
        if reopen is None:
            pytest.skip("the suite gives no `reopen`, so nothing is said to outlive a store")
        reference = MemoryDataStore()
        written_to(subject, reference, declared=declared)
        store.close()
        for _ in range(2):
            with closing(reopen()) as again:
                wrong = difference(expected(reference, declared), answers(again, declared))
                assert not wrong, f"opened again: {wrong}"
                written_to(again, reference, declared=declared)

    def test_l2_opening_a_store_changes_no_file(
        self, subject: Recorder, store: Any, reopen: Callable[[], Any] | None, place: Path | None
    ) -> None:
        """No byte of what is there, and nothing beside it."""
        if reopen is None or place is None:
            pytest.skip("the suite gives no `reopen` or no `place`")
        _write_one_of_each(subject)
        store.close()
        before = _files(place)
        reopen().close()
        assert _files(place) == before, "opening and closing has changed files"


def _use_and_close(store: Any) -> None:
    store.save_strategy_state("value", {"cash": 1.5})
    store.read_bars("AAPL", *EVER)
    store.read_fundamental("AAPL")
    store.read_events(*EVER)
    store.close()


def _open_files() -> int:
    """Return how many descriptors this process has open."""
    return len(list(OPEN_FILES.iterdir()))


def _write_one_of_each(subject: Recorder) -> None:
    subject.write_bars("AAPL", [bar()])
    subject.write_fundamental("AAPL", fundamental())
    subject.write_event(event())
    subject.save_strategy_state("value", {"cash": 1.5})
    subject.log_decision("value", decision())
    subject.log_order("value", *sent())


def _files(place: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in place.rglob("*") if file.is_file()}


def _calls(store: Any) -> dict[str, Callable[[], Any]]:
    return {
        "write_bars": lambda: store.write_bars("AAPL", [bar()]),
        "write_bars of nothing": lambda: store.write_bars("AAPL", []),
        "read_bars": lambda: store.read_bars("AAPL", *EVER),
        "write_fundamental": lambda: store.write_fundamental("AAPL", fundamental()),
        "read_fundamental": lambda: store.read_fundamental("AAPL"),
        "write_event": lambda: store.write_event(event()),
        "read_events": lambda: store.read_events(*EVER),
        "save_strategy_state": lambda: store.save_strategy_state("value", {}),
        "load_strategy_state": lambda: store.load_strategy_state("value"),
        "log_decision": lambda: store.log_decision("value", decision()),
        "log_order": lambda: store.log_order("value", *sent()),
        "with": lambda: type(store).__enter__(store),
    }


def _declared_calls(store: Any, declared: frozenset[str]) -> dict[str, Callable[[], Any]]:
    """Return a call of each method of the declared capabilities, whatever it takes."""
    methods = (
        (name, getattr(CAPABILITIES[capability], name))
        for capability in declared
        for name in vars(CAPABILITIES[capability])
        if not name.startswith("_")
    )
    return {
        name: _call(getattr(store, name), method)
        for name, method in methods
        if name not in ADDED or hasattr(store, name)
    }


def _call(method: Any, declared: Any) -> Callable[[], Any]:
    given = {"start": EVER[0], "end": EVER[1], "symbol": "AAPL", "symbols": ["AAPL"]}
    required = [
        each.name
        for each in list(inspect.signature(declared).parameters.values())[1:]
        if each.default is each.empty or each.name in ("start", "end")  # required at first
    ]
    return lambda: method(**{name: given.get(name, []) for name in required})
