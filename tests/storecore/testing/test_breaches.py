"""What the kit says of a store that is none, of a place that cannot be opened, of a full medium."""

from __future__ import annotations

import pytest

from storecore import CorruptData
from storecore.memory import MemoryDataStore
from storecore.testing import DataStoreSuite, audit, durability, worker
from storecore.testing.records import NOON


class Odd(MemoryDataStore):
    log_order = None

    def read_bars(self, ticker, start, end, *, timeframe="1d"):
        """Read bars by another name."""


def test_a_missing_method_and_another_signature_are_told():
    test = DataStoreSuite.test_p1_a_store_has_the_ten_methods_with_the_protocols_signatures
    with pytest.raises(AssertionError) as caught:
        test(None, Odd(), frozenset())
    assert "it lacks log_order" in str(caught.value)
    assert "read_bars(ticker, start, end" in str(caught.value)


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
    )


def test_a_store_without_batches_is_given_none():
    assert worker._batches(object()) == {}
