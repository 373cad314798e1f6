"""Laws B4 and D4 within a process: threads read while others write, and write at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event as Flag
from typing import Any

import pytest

from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import EVER, NOON, bar, decision, event, sent

SERIES, ROUNDS, THREADS, EACH = 40, 30, 4, 12


class ThreadLaws(Fixtures):
    """What threads that share a store may rely on."""

    @pytest.fixture
    def eager_threads(self) -> Iterator[None]:
        """Threads that take turns as often as they can."""
        usual = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        yield
        sys.setswitchinterval(usual)

    def test_b4_a_reader_sees_each_bar_old_or_new_and_misses_none(
        self, subject: Recorder, eager_threads: None
    ) -> None:
        """While a writer replaces all bars of the series, over and over."""
        subject.write_bars("AAPL", _version(0))
        done = Flag()

        def write() -> None:
            for number in range(1, ROUNDS):
                subject.write_bars("AAPL", _version(number))

        with ThreadPoolExecutor(2) as pool:
            seen = pool.submit(_read_until, subject, done)
            try:
                pool.submit(write).result()
            finally:
                done.set()
            for read in seen.result():
                assert len(read) == SERIES, f"{len(read)} bars of {SERIES} were seen"
                torn = [each for each in read if each.open != each.close]
                assert not torn, f"a bar half old, half new was seen: {torn[0]}"

    def test_d4_threads_lose_nothing(self, subject: Recorder, eager_threads: None) -> None:
        """Bars of one series, events and states, written by several threads at once."""

        def write(thread: int) -> None:
            for number in range(thread * EACH, (thread + 1) * EACH):
                subject.write_bars("AAPL", [bar(NOON + timedelta(number), volume=number)])
                subject.write_event(event(payload={"number": number}))
                subject.save_strategy_state(str(number), {"number": number})

        _in_threads(write)
        numbers = list(range(THREADS * EACH))
        assert [each.volume for each in subject.read_bars("AAPL", *EVER)] == numbers
        assert sorted(each.payload["number"] for each in subject.read_events(*EVER)) == numbers
        assert [subject.load_strategy_state(str(n)) for n in numbers] == [
            {"number": number} for number in numbers
        ]

    def test_d4_threads_log_into_one_chain(
        self, having: Callable[[str], Recorder], eager_threads: None
    ) -> None:
        """Each record has its own number, none is lost, and the chains verify."""
        subject = having("AuditTrail")

        def write(thread: int) -> None:
            for number in range(EACH):
                subject.log_decision(f"{thread}.{number}", decision())
                subject.log_order(f"{thread}.{number}", *sent(strategy_name=f"{thread}.{number}"))

        _in_threads(write)
        for records in (subject.read_decisions(*EVER), subject.read_orders(*EVER)):
            assert [each.seq for each in records] == list(range(1, THREADS * EACH + 1))
            assert len({each.strategy for each in records}) == THREADS * EACH
        assert subject.verify_audit().ok


def _in_threads(work: Callable[[int], None]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        for result in [pool.submit(work, number) for number in range(THREADS)]:
            result.result()


def _version(number: int) -> list[Any]:
    price = float(number)
    return [bar(NOON + timedelta(day), price, open=price) for day in range(SERIES)]


def _read_until(subject: Recorder, done: Flag) -> list[Any]:
    seen = [subject.read_bars("AAPL", *EVER)]
    while not done.is_set():
        seen.append(subject.read_bars("AAPL", *EVER))
    return seen
