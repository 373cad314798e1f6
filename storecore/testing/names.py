"""Laws N1 to N3: any name works, none reaches another's data or leaves the store's place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from storecore.errors import InvalidData, InvalidName
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import (
    EVER,
    HOSTILE,
    NO_NAMES,
    bar,
    decision,
    event,
    for_all,
    fundamental,
    names,
    refused,
    sent,
)


class NameLaws(Fixtures):
    """What names may be, and that they keep data apart."""

    def test_n1_hostile_symbols_keep_their_bars_apart(self, subject: Recorder) -> None:
        """Each of the hostile names has its own bars, whose symbol is exactly that name."""
        for number, name in enumerate(HOSTILE):
            subject.write_bars(name, [bar(symbol=name, volume=number)])
        for number, name in enumerate(HOSTILE):
            assert subject.read_bars(name, *EVER) == [bar(symbol=name, volume=number)]

    def test_n1_hostile_timeframes_keep_their_bars_apart(self, subject: Recorder) -> None:
        """`1m` and `1M` are two timeframes, and so is any other text."""
        for number, name in enumerate(HOSTILE):
            subject.write_bars("AAPL", [bar(volume=number)], timeframe=name)
        for number, name in enumerate(HOSTILE):
            assert subject.read_bars("AAPL", *EVER, timeframe=name) == [bar(volume=number)]

    def test_n1_a_symbol_and_a_timeframe_are_not_run_together(self, subject: Recorder) -> None:
        """No separator between the two is part of one of them."""
        pairs = [(f"A{mark}B", "C") for mark in "/|:_-. \x1f"]
        pairs += [("A", f"B{mark}C") for mark in "/|:_-. \x1f"]
        for number, (symbol, timeframe) in enumerate(pairs):
            bars = [bar(symbol=symbol, volume=number)]
            subject.write_bars(symbol, bars, timeframe=timeframe)
        for number, (symbol, timeframe) in enumerate(pairs):
            (read,) = subject.read_bars(symbol, *EVER, timeframe=timeframe)
            assert read.volume == number

    def test_n1_hostile_symbols_keep_their_fundamentals_apart(self, subject: Recorder) -> None:
        """Each of the hostile names has its own fundamental."""
        for number, name in enumerate(HOSTILE):
            subject.write_fundamental(name, fundamental(symbol=name, employees=number))
        for number, name in enumerate(HOSTILE):
            read = subject.read_fundamental(name)
            assert (read.symbol, read.employees) == (name, number)

    def test_n1_hostile_strategies_keep_their_states_apart(self, subject: Recorder) -> None:
        """Each of the hostile names has its own state."""
        for number, name in enumerate(HOSTILE):
            subject.save_strategy_state(name, {"number": number})
        for number, name in enumerate(HOSTILE):
            assert subject.load_strategy_state(name) == {"number": number}

    @for_all(first=names, second=names)
    def test_n1_two_different_names_never_share_a_state(
        self, subject: Recorder, first: str, second: str
    ) -> None:
        """Whatever two names are, each has its own state."""
        subject.save_strategy_state(first, {"is": "first"})
        subject.save_strategy_state(second, {"is": "second"})
        expected = "second" if first == second else "first"
        assert subject.load_strategy_state(first) == {"is": expected}

    def test_n1_an_events_symbol_type_and_source_come_back_as_given(
        self, subject: Recorder
    ) -> None:
        """Any name in an event comes back exactly."""
        for name in HOSTILE:
            subject.write_event(event(symbol=name, type=name, source=name))
        read = subject.read_events(*EVER)
        assert [(each.symbol, each.type, each.source) for each in read] == [
            (name, name, name) for name in HOSTILE
        ]

    def test_n1_nothing_outside_the_stores_place_is_touched(
        self, subject: Recorder, place: Path | None
    ) -> None:
        """No name leads out of the folder of the store."""
        if place is None:
            pytest.skip("the suite gives no `place`")
        before = _around(place)
        for name in HOSTILE:
            subject.write_bars(name, [bar(symbol=name)], timeframe=name)
            subject.write_fundamental(name, fundamental(symbol=name))
            subject.write_event(event(symbol=name, type=name))
            subject.save_strategy_state(name, {})
        assert _around(place) == before, f"something beside {place} has changed"

    def test_n2_what_is_no_name_is_refused_everywhere(self, subject: Recorder) -> None:
        """The empty text, NUL, lone surrogates and what is no text name nothing."""
        for name in NO_NAMES:
            for call in _calls(subject, name):
                with refused(InvalidName, value=name):
                    call()

    def test_n2_an_event_of_no_symbol_is_refused(self, subject: Recorder) -> None:
        """An event's symbol is a name or None."""
        for name in ("", "\0", "\ud800"):
            with refused(InvalidName, "symbol", value=name):
                subject.write_event(event(symbol=name))
        subject.write_event(event(symbol=None))
        assert [each.symbol for each in subject.read_events(*EVER)] == [None]

    def test_n3_a_bar_filed_under_another_symbol_is_refused(self, subject: Recorder) -> None:
        """The error names row and field, and nothing is written."""
        with refused(InvalidData, "1", "symbol", "MSFT", value="a bar of MSFT among AAPL's"):
            subject.write_bars("AAPL", [bar(), bar(symbol="MSFT")])
        assert subject.read_bars("AAPL", *EVER) == []

    def test_n3_a_fundamental_filed_under_another_symbol_is_refused(
        self, subject: Recorder
    ) -> None:
        """The error names the field, and nothing is written."""
        with refused(InvalidData, "symbol", "MSFT", value="a fundamental of MSFT"):
            subject.write_fundamental("AAPL", fundamental(symbol="MSFT"))
        assert subject.read_fundamental("AAPL") is None
        assert subject.read_fundamental("MSFT") is None


def _calls(subject: Recorder, name: Any) -> list[Any]:
    return [
        lambda: subject.write_bars(name, [bar(symbol=name)]),
        lambda: subject.write_bars("AAPL", [bar()], timeframe=name),
        lambda: subject.read_bars(name, *EVER),
        lambda: subject.read_bars("AAPL", *EVER, timeframe=name),
        lambda: subject.write_fundamental(name, fundamental(symbol=name)),
        lambda: subject.read_fundamental(name),
        lambda: subject.save_strategy_state(name, {}),
        lambda: subject.load_strategy_state(name),
        lambda: subject.log_decision(name, decision()),
        lambda: subject.log_order(name, *sent()),
    ]


def _around(place: Path) -> dict[Path, bytes]:
    """Return what lies beside a folder, at any depth."""
    files = (each for each in place.parent.rglob("*") if place not in (each, *each.parents))
    return {file: file.read_bytes() if file.is_file() else b"" for file in files}
