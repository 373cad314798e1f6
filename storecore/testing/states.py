"""Law S1: what is loaded equals what was saved, or the save is refused and the old state stays."""

from __future__ import annotations

import enum
import math
from collections import OrderedDict, namedtuple
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from storecore.errors import NotSerializable
from storecore.models import Action
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import for_all, json_values, refused, text

Point = namedtuple("Point", "x y")
states = st.dictionaries(text, json_values, max_size=4)
EDGES: tuple[dict[str, Any], ...] = (
    {},
    {"": ""},
    {"zero": -0.0, "one": 1, "float one": 1.0, "true": True},
    {"above float": 2**53 + 1, "big": 2**63, "bigger": -(2**200)},
    {"tiny": 5e-324, "huge": 1.7976931348623157e308},
    {"text": '\0\n\u2028😀"\\', "e\u0301": "\u00e9"},
    {"a": {"b": [[], {}, [None]]}},
)
CHANGED: tuple[tuple[Any, str], ...] = (
    ({"positions": [1, 2, 3, (4, 5)]}, "$.positions[3]"),
    ({"seen": {1, 2}}, "$.seen"),
    ({"seen": frozenset()}, "$.seen"),
    ({"at": datetime(2026, 1, 5)}, "$.at"),
    ({"day": date(2026, 1, 5)}, "$.day"),
    ({"a": {"b": {1: 2}}}, "$.a.b"),
    ({"a": {None: 2}}, "$.a"),
    ({"x": math.nan}, "$.x"),
    ({"x": [math.inf]}, "$.x[0]"),
    ({"x": -math.inf}, "$.x"),
    ({"x": 1j}, "$.x"),
    ({"x": 10**5000}, "$.x"),
    ({"x": Decimal("1.10")}, "$.x"),
    ({"x": b"bytes"}, "$.x"),
    ({"x": UUID(int=1)}, "$.x"),
    ({"x": Action.BUY}, "$.x"),
    ({"x": Point(1, 2)}, "$.x"),
    ({"x": object()}, "$.x"),
    ({"x": "\ud800"}, "$.x"),
    ({"\ud800": 1}, "$"),
    ([1, 2], "$"),
    ("text", "$"),
    (None, "$"),
)


class Level(enum.IntEnum):
    """An int by another name."""

    HIGH = 3


class StateLaws(Fixtures):
    """What a strategy remembers."""

    def test_s1_a_strategy_that_never_saved_has_no_state(self, subject: Recorder) -> None:
        """None, which is not the empty state."""
        subject.save_strategy_state("empty", {})
        assert subject.load_strategy_state("value") is None
        assert subject.load_strategy_state("empty") == {}

    @for_all(state=states)
    def test_s1_any_json_state_comes_back_equal(
        self, subject: Recorder, state: dict[str, Any]
    ) -> None:
        """Equal, and of the same types all the way down."""
        subject.save_strategy_state("value", state)
        assert repr(subject.load_strategy_state("value")) == repr(state)

    def test_s1_edges_of_json_come_back_equal(self, subject: Recorder) -> None:
        """Large whole numbers, -0.0, every character."""
        for state in EDGES:
            subject.save_strategy_state("value", state)
            assert repr(subject.load_strategy_state("value")) == repr(state)

    def test_s1_what_json_would_change_is_refused_by_path_and_the_old_state_stays(
        self, subject: Recorder
    ) -> None:
        """A tuple, a set, a datetime, NaN, a key that is no text."""
        subject.save_strategy_state("value", {"old": 1})
        for value, path in CHANGED:
            with refused(NotSerializable, path, value=value):
                subject.save_strategy_state("value", value)
            assert subject.load_strategy_state("value") == {"old": 1}

    def test_s1_a_state_that_holds_itself_is_refused(self, subject: Recorder) -> None:
        """It has no end."""
        state: dict[str, Any] = {}
        state["self"] = state
        with refused(NotSerializable, value="a dict in itself"):
            subject.save_strategy_state("value", state)

    def test_s1_subclasses_of_json_types_come_back_as_what_they_equal(
        self, subject: Recorder
    ) -> None:
        """An OrderedDict is a dict, an IntEnum an int."""
        for state in (OrderedDict(a=1), {"level": Level.HIGH}):
            subject.save_strategy_state("value", state)
            assert subject.load_strategy_state("value") == state

    def test_s1_a_state_is_a_copy_of_what_was_given_and_of_what_was_read(
        self, subject: Recorder
    ) -> None:
        """Nobody changes a state but by saving it."""
        state = {"list": [1]}
        subject.save_strategy_state("value", state)
        state["list"].append(2)
        subject.load_strategy_state("value")["list"].append(3)
        assert subject.load_strategy_state("value") == {"list": [1]}

    def test_s1_the_last_save_wins_whole(self, subject: Recorder) -> None:
        """A state is replaced, not merged."""
        subject.save_strategy_state("value", {"old": 1, "both": 1})
        subject.save_strategy_state("value", {"both": 2})
        assert subject.load_strategy_state("value") == {"both": 2}
