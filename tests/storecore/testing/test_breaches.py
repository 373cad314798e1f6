"""What the kit says of a store that is none, of a place that cannot be opened, of a full medium."""

from __future__ import annotations

import pytest

from storecore import CorruptData
from storecore.builtin.memory import MemoryDataStore
from storecore.testing import (
    DataStoreSuite,
    audit,
    durability,
    sizes,
    tampering,
    times,
    worker,
    zones,
)
from storecore.testing.filters import Ticker
from storecore.testing.fixtures import lacking
from storecore.testing.records import NOON


class Odd(MemoryDataStore):
    log_order = None

    def read_bars(self, ticker, start, end, *, timeframe="1d"):
        """Read bars by another name."""


def test_a_missing_method_and_another_signature_are_reported():
    test = DataStoreSuite.test_p1_a_store_has_the_ten_methods_with_the_protocols_signatures
    with pytest.raises(AssertionError) as caught:
        test(None, Odd())
    assert "it lacks log_order" in str(caught.value)
    assert "read_bars(ticker, start, end" in str(caught.value)


def test_of_a_capability_that_does_not_exist_its_name_is_lacking():
    assert lacking(object(), "Nope") == ["Nope"]


def test_the_clock_that_is_set_back_takes_every_time_for_one_of_its_own():
    clock = audit._ClockSetBack
    assert clock.now() > clock.now()
    assert isinstance(NOON, clock)
    assert not isinstance(NOON.date(), clock)


def test_a_place_that_cannot_be_opened_answers_every_read_with_its_error():
    error = CorruptData("desk.db: not what was written")

    def reopen():
        raise error

    answers = durability._answers(reopen, frozenset())
    assert set(answers.values()) == {error}
    assert "read_decisions" not in answers


def test_a_store_that_needs_no_medium_writes_where_none_is_left(capsys):
    worker._fill_up(MemoryDataStore(), None)
    outcomes = [line.rsplit(" ", 1)[1] for line in capsys.readouterr().out.splitlines()]
    assert outcomes == ["written"] * (worker.BATCHES + 5)
    worker._fill_batches(MemoryDataStore(), None)
    assert capsys.readouterr().out == (
        "table 0 written\nevents 0 written\nfundamentals 0 written\n"
        "decisions 0 written\norders 0 written\n"
    )


def test_a_slow_store_is_given_fewer_records_but_more_than_a_page(monkeypatch):
    assert sizes._many(MemoryDataStore()) == sizes.MANY
    moments = iter((0.0, 1.0))
    monkeypatch.setattr(sizes.time, "monotonic", lambda: next(moments))
    assert sizes._many(MemoryDataStore()) == sizes.FEW > 1_000


def test_who_counts_up_a_state_tries_again_after_a_conflict(monkeypatch):
    monkeypatch.setattr(worker, "_beginning_together", lambda: None)

    class Contended(MemoryDataStore):
        others = 2

        def save_strategy_state(self, strategy_name, state, *, expect=None):
            if self.others:
                self.others -= 1
                super().save_strategy_state(strategy_name, {"count": 40})
            super().save_strategy_state(strategy_name, state, expect=expect)

    store = Contended()
    worker._count_up(store, worker.Job(None, 0, 1, 2, "count"))
    assert store.load_strategy_state("count") == {"count": 42}


def test_a_process_is_killed_as_soon_as_its_write_returns(monkeypatch):
    store, killed = MemoryDataStore(), []
    monkeypatch.setattr(worker.os, "kill", lambda process, signal: killed.append(signal))
    worker._write_and_die(lambda: store, lambda opened: opened.save_strategy_state("value", {}))
    assert store.strategies() == ["value"]
    assert killed == [worker.signal.SIGKILL]


def test_a_slow_store_is_not_asked_to_fill_the_medium(monkeypatch, capsys):
    monkeypatch.setattr(worker, "PATIENCE", 0.0)
    worker._fill_up(MemoryDataStore(), None)
    assert "bars" not in capsys.readouterr().out


def test_a_check_that_raises_has_found_a_forgery():
    class Raising:
        def verify_audit(self):
            raise CorruptData("line 3: not what was written")

    assert not tampering._is_ok(Raising())


def test_a_ticker_says_another_text_of_itself_than_it_equals():
    assert (f"{Ticker('AAPL')}", repr(Ticker("AAPL")), Ticker("AAPL")) == (
        "another",
        "Ticker",
        "AAPL",
    )


def test_a_machine_without_time_zones_tries_no_laws_of_zones(monkeypatch):
    monkeypatch.setattr(zones, "available_timezones", set)
    with pytest.raises(pytest.skip.Exception, match="knows no time zones"):
        DataStoreSuite.test_t1_the_hour_that_comes_twice_is_two_hours(None, MemoryDataStore())
    monkeypatch.setattr(times, "available_timezones", set)
    by_name = DataStoreSuite.test_t2_a_time_zone_of_another_library_comes_back_by_its_name
    with pytest.raises(pytest.skip.Exception, match="knows no time zones"):
        by_name(None, MemoryDataStore())


def test_a_store_without_batches_is_given_none():
    assert worker._batches(object()) == {}


def test_without_a_forger_no_record_is_forged():
    verify = DataStoreSuite.test_a3_verify_finds_a_forged_record
    with pytest.raises(pytest.skip.Exception, match="gives no `tamper`"):
        verify(None, MemoryDataStore(), None)
