"""Names as filters: a type, a strategy or a symbol that is asked for is that one and no other."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from storecore.errors import InvalidName
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import (
    EVER,
    HOSTILE,
    bar,
    bar_table,
    decision,
    event,
    fundamental,
    refused,
    sent,
)

ALIKE = (
    *("Buy", "buy", "BUY", "buy ", " buy", "buy\t", "b%", "b_y", "%", "_", "b", "bu", "buyer"),
    *("e\u0301t\u00e9", "\u00e9t\u00e9", "ÉTÉ", "straße", "strasse", "STRASSE", "ı", "i"),
)
ALL = tuple(dict.fromkeys((*ALIKE, *HOSTILE)))


class Ticker(str):
    """A text of another class, which says something else of itself."""

    __slots__ = ()

    def __str__(self) -> str:
        return "another"

    def __repr__(self) -> str:
        return "Ticker"


class Venue(StrEnum):
    """Names as a program lists them."""

    NYSE = "nyse"


class FilterLaws(Fixtures):
    """What is asked for by its name."""

    def test_n1_an_event_type_is_told_from_every_other_by_a_filter(self, subject: Recorder) -> None:
        """Case, blanks, Unicode forms, `%` and `_` make another type; the empty one is one too."""
        kinds = ("", *ALL)
        for kind in kinds:
            subject.write_event(event(type=kind))
        for kind in kinds:
            assert [each.type for each in subject.read_events(*EVER, [kind])] == [kind]
        assert [each.type for each in subject.read_events(*EVER, kinds[::7])] == list(kinds[::7])

    def test_e2_types_are_a_set_whatever_their_order_and_number(self, subject: Recorder) -> None:
        """One that is asked for twice doubles nothing, and the order of asking is not kept."""
        for number, kind in enumerate("abcabc"):
            subject.write_event(event(type=kind, payload={"number": number}))
        for asked in (["c", "a"], ["a", "c"], ["a", "c", "a", "c"], iter("cca"), {"a", "c", "d"}):
            read = [each.payload["number"] for each in subject.read_events(*EVER, asked)]
            assert read == [0, 2, 3, 5]

    def test_n1_a_strategy_is_told_from_every_other_by_a_filter(
        self, having: Callable[[str], Recorder]
    ) -> None:
        """In both logs."""
        trail = having("AuditTrail")
        for name in ALL:
            trail.log_decision(name, decision())
            trail.log_order(name, *sent(strategy_name=name))
        for name in ALL:
            assert [each.strategy for each in trail.read_decisions(*EVER, name)] == [name]
            assert [each.strategy for each in trail.read_orders(*EVER, name)] == [name]

    def test_n2_the_empty_strategy_is_no_filter(self, having: Callable[[str], Recorder]) -> None:
        """It is not all strategies, as None is."""
        trail = having("AuditTrail")
        trail.log_decision("value", decision())
        trail.log_order("value", *sent())
        for read in (trail.read_decisions, trail.read_orders):
            with refused(InvalidName, value="the strategy ''"):
                read(*EVER, "")

    def test_n1_names_that_look_alike_keep_their_data_apart(self, subject: Recorder) -> None:
        """Bars, fundamentals and states of each."""
        for number, name in enumerate(ALIKE):
            subject.write_bars(name, [bar(symbol=name, volume=number)])
            subject.write_fundamental(name, fundamental(symbol=name, employees=number))
            subject.save_strategy_state(name, {"number": number})
        for number, name in enumerate(ALIKE):
            assert subject.read_bars(name, *EVER) == [bar(symbol=name, volume=number)]
            assert subject.read_fundamental(name).employees == number
            assert subject.load_strategy_state(name) == {"number": number}

    def test_n1_names_that_look_alike_are_told_apart_in_a_table(
        self, having: Callable[[str], Recorder]
    ) -> None:
        """Each has its own rows."""
        tables = having("BarTables")
        bars = [bar(symbol=name, volume=number) for number, name in enumerate(ALIKE)]
        tables.write_bar_table(bar_table(bars))
        for number, name in enumerate(ALIKE):
            assert tables.read_bar_table(name, *EVER)["volume"].to_pylist() == [number]
        read = tables.read_bar_table(ALIKE, *EVER)["symbol"].to_pylist()
        assert read == sorted(ALIKE)

    def test_n1_a_name_of_a_subclass_of_str_is_the_text_that_it_equals(
        self, subject: Recorder, declared: frozenset[str]
    ) -> None:
        """An enum's member or a class of one's own, written and asked for."""
        for name in (Ticker("AAPL"), Venue.NYSE):
            text = name[:]
            subject.write_bars(name, [bar(symbol=name)], timeframe=Ticker("1d"))
            subject.write_fundamental(name, fundamental(symbol=name))
            subject.write_event(event(symbol=name, type=name))
            subject.save_strategy_state(name, {"cash": 1})
            subject.log_decision(name, decision(symbol=name))
            for asked in (name, text):
                (read,) = subject.read_bars(asked, *EVER)
                assert read.symbol == text
                assert type(read.symbol) in (str, type(asked))
                assert subject.read_fundamental(asked).symbol == text
                assert [each.type for each in subject.read_events(*EVER, [asked])] == [text]
                assert subject.load_strategy_state(asked) == {"cash": 1}
                if "AuditTrail" in declared:
                    (record,) = subject.read_decisions(*EVER, asked)
                    assert (record.strategy, record.decision.symbol) == (text, text)
        if "Catalog" in declared:
            assert subject.symbols() == subject.strategies() == ["AAPL", "nyse"]
            assert {type(name) for name in subject.symbols()} == {str}
