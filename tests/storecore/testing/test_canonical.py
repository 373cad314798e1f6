"""Decisions are compared by value: their types and contents, whatever they are made of."""

from __future__ import annotations

import ast
import math
import re
import sys
import threading
import uuid
from array import array
from collections import OrderedDict, UserDict, deque, namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import wraps
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from storecore import InvalidData, open_store
from storecore.testing import canonical as module
from storecore.testing.canonical import canonical
from storecore.testing.records import bar

Pair = namedtuple("Pair", "first second")


class Side(Enum):
    """An enumeration."""

    BUY = 1
    SELL = 2


class Plain:
    """An object with attributes, and neither equality nor text."""

    def __init__(self, weight, **more):
        self.weight = weight
        self.__dict__.update(more)


class Slotted:
    """An object without a dict."""

    __slots__ = ("__private", "weight")

    def __init__(self, weight, private=None):
        self.weight = weight
        self.__private = private


class Mixed(Slotted):
    """An object with slots, of which one is not set, and with a dict."""

    __slots__ = "__dict__", "unset"


class Listing:
    """An object that is pickled as the items of a list."""

    def __init__(self, items):
        self._items = items

    def __reduce__(self):
        """Return how it is made again."""
        return Listing, ([],), None, iter(self._items)


class Empty:
    """An object without any attribute."""


@dataclass
class Weights:
    """A dataclass."""

    by_symbol: dict


@dataclass(slots=True)
class Slim:
    """A dataclass with slots."""

    weight: float


class Struct(msgspec.Struct):
    """A struct of msgspec."""

    weight: float


def weights(number, middle):
    """Return many numbers, of which a text shows the first and the last ones."""
    found = np.zeros(number)
    found[number // 2] = middle
    return found


def cyclic():
    values = []
    values.append(values)
    return values


MADE = {
    "an array": lambda value: weights(1500, value),
    "an array of objects": lambda value: np.array([None, value, "A"], dtype=object),
    "a structured array": lambda value: np.array([(value, 1)], dtype=[("a", "f8"), ("b", "i8")]),
    "an array of times": lambda value: np.array([f"2026-01-0{value:.0f}"], dtype="datetime64[us]"),
    "a scalar of numpy": np.float32,
    "a float of numpy": np.float64,
    "a long float of numpy": np.longdouble,
    "a bool of numpy": lambda value: np.bool_(value == 1.0),
    "a type of numpy": lambda value: np.dtype("f8" if value == 1.0 else "i8"),
    "a series": lambda value: pd.Series(weights(100, value), index=[f"S{n}" for n in range(100)]),
    "an index": lambda value: pd.Index(weights(100, value)),
    "the index of a series": lambda value: pd.Series([1], index=[value]),
    "the name of a series": lambda value: pd.Series([1], name=str(value)),
    "a frame": lambda value: pd.DataFrame({"a": weights(100, value), "b": "text"}),
    "a frame with a name twice": lambda value: pd.DataFrame([[1, value]], columns=["a", "a"]),
    "a time of pandas": lambda value: pd.Timestamp("2026-01-05") + pd.Timedelta(int(value), "ns"),
    "a missing value of pandas": lambda value: pd.NA if value == 1.0 else pd.NaT,
    "a series of polars": lambda value: pl.Series("a", weights(100, value)),
    "a frame of polars": lambda value: pl.DataFrame({"a": weights(100, value)}),
    "a table of arrow": lambda value: pa.table({"a": weights(100, value)}),
    "an array of arrow": lambda value: pa.array(weights(100, value)),
    "a scalar of arrow": pa.scalar,
    "a type of arrow": lambda value: pa.float64() if value == 1.0 else pa.int64(),
    "a number": float,
    "a whole number": int,
    "a complex number": lambda value: complex(1, value),
    "a decimal": Decimal,
    "a fraction": lambda value: Fraction(int(value), 7),
    "a text": str,
    "bytes": lambda value: str(value).encode(),
    "a truth": lambda value: value == 1.0,
    "a time": lambda value: datetime(2026, 1, 5, tzinfo=UTC) + timedelta(value),
    "a date": lambda value: date(2026, 1, int(value)),
    "a span": timedelta,
    "a path": lambda value: Path(str(value)),
    "an enum": lambda value: Side(int(value)),
    "a uuid": lambda value: uuid.UUID(int=int(value)),
    "a pattern": lambda value: re.compile(str(value)),
    "a range": lambda value: range(int(value)),
    "an array of the standard library": lambda value: array("d", weights(1500, value)),
    "a namespace": lambda value: SimpleNamespace(weights=weights(1500, value)),
    "a user's dict in another one": lambda value: UserDict({"A": {"B": value}}),
    "a built-in function": lambda value: print if value == 1.0 else len,
    "an object that is pickled by items": lambda value: Listing([weights(1500, value)]),
    "a list": lambda value: ["A", [value]],
    "a tuple": lambda value: ("A", (value,)),
    "a named tuple": lambda value: Pair("A", value),
    "a deque": lambda value: deque([value]),
    "a set": lambda value: {"A", value},
    "a frozen set": lambda value: frozenset({"A", value}),
    "a dict": lambda value: {"A": {"B": value}},
    "keys": lambda value: {value: 1}.keys(),
    "values": lambda value: {"A": value}.values(),
    "an ordered dict": lambda value: OrderedDict(A=value),
    "an object": Plain,
    "an object in an object": lambda value: Plain(Plain(np.array([value]))),
    "an object with slots": Slotted,
    "a private attribute": lambda value: Slotted(1.0, value),
    "an object with slots and a dict": Mixed,
    "a dataclass": lambda value: Weights({"A": weights(1500, value)}),
    "a dataclass with slots": Slim,
    "a struct": Struct,
    "a bar": lambda value: bar(close=value),
    "an error": ValueError,
    "a type": lambda value: Plain if value == 1.0 else Slotted,
    "an object without attributes, or with one": lambda value: (
        Empty() if value == 1.0 else Plain(value)
    ),
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_values_are_the_same_if_their_contents_are(make):
    assert canonical(make(1.0), "") == canonical(make(1.0), "")
    assert canonical(make(1.0), "") != canonical(make(2.0), "")


WITH_NAN = [
    *("a number", "an array", "a series", "a frame", "a frame of polars", "a table of arrow"),
    *("a list", "a dict", "an object", "a dataclass", "a struct", "a float of numpy"),
    *("a scalar of numpy", "a complex number", "a set", "an array of objects", "a decimal"),
]


@pytest.mark.parametrize("name", WITH_NAN)
def test_a_number_that_is_none_is_the_same_as_another(name):
    nan, other = float("nan"), float("inf") - float("inf")
    assert math.isnan(other)
    assert canonical(MADE[name](nan), "") == canonical(MADE[name](other), "")
    assert canonical(MADE[name](nan), "") != canonical(MADE[name](1.0), "")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        ([1], (1,)),
        (np.zeros(2), np.zeros((2, 1))),
        (np.zeros(2, "f4"), np.zeros(2, "f8")),
        (pd.Series([1, 2]), [1, 2]),
        (pd.Series([1]), pd.Series([1.0])),
        (pl.Series("a", [1]), pl.Series("b", [1])),
        (pl.DataFrame({"a": [1]}), pl.DataFrame({"b": [1]})),
        (pa.table({"a": [1]}), pa.table({"b": [1]})),
        (Plain(1), Mixed(1)),
        (Plain(1), Plain(1, more=2)),
        ("nan", float("nan")),
        (Pair(1, 2), (1, 2)),
    ],
)
def test_values_of_other_types_or_shapes_are_others(one, other):
    assert canonical(one, "") != canonical(other, "")


def test_the_order_of_a_dict_and_of_a_set_is_no_difference():
    assert canonical({"a": 1, "b": 2}, "") == canonical({"b": 2, "a": 1}, "")


def test_a_form_does_not_change_with_the_value():
    value = weights(5, 1.0)
    form = canonical(value, "")
    value[2] = 2.0
    assert form != canonical(value, "")
    assert form == canonical(weights(5, 1.0), "")


def test_the_same_value_twice_is_no_cycle():
    twice = [1]
    assert canonical([twice, twice], "") == canonical([[1], [1]], "")


def decorated():
    @wraps(cyclic)
    def function():
        """A function, whose attributes name another one."""

    return function


INCOMPARABLE = {
    "a function": (lambda: decorated, "function"),
    "a function with attributes": (decorated, "function"),
    "a generator": (lambda: (each for each in [1]), "generator"),
    "an iterator": (lambda: [iter([1])], "list_iterator"),
    "a counter": (lambda: iter(range(3)), "range_iterator"),
    "an object of no type of its own": (object, "object"),
    "a lock": (lambda: Plain(threading.Lock()), "lock"),
    "a module": (lambda: {"module": sys}, "module"),
    "a store": (lambda: Plain(open_store("memory")), "MemoryDataStore"),
    "a list in itself": (cyclic, "list"),
    "a frame that is not computed": (lambda: pl.DataFrame({"a": [1]}).lazy(), "LazyFrame"),
    "a group of pandas": (lambda: pd.DataFrame({"a": [1]}).groupby("a"), "DataFrameGroupBy"),
}


@pytest.mark.parametrize(("make", "kind"), INCOMPARABLE.values(), ids=INCOMPARABLE)
def test_what_cannot_be_compared_is_refused_and_says_what_to_return(make, kind):
    with pytest.raises(InvalidData, match=f"^here: .* is a {kind}, which cannot be .*; return num"):
        canonical(make(), "here")


def test_no_library_of_arrays_or_frames_is_imported_for_it():
    tree = ast.parse(Path(module.__file__).read_text())
    imported = {each.module for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
    imported |= {
        name.name for each in ast.walk(tree) if isinstance(each, ast.Import) for name in each.names
    }
    assert not imported & {"numpy", "pandas", "polars", "pyarrow"}
