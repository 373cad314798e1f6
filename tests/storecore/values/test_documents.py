"""Law S1: what is loaded equals what was saved, or the save is refused with its path."""

from __future__ import annotations

import ast
import dataclasses
import math
import re
from collections import OrderedDict, defaultdict, namedtuple
from datetime import datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import Action, Decision, InvalidData, NotSerializable, Order
from storecore.values.documents import checked, checked_all, decode_document, encode_document

text = st.text(st.characters(exclude_categories=["Cs"]))
exact = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    text,
)
lossy = st.one_of(
    st.floats(),
    st.text(),
    st.tuples(st.integers()),
    st.sets(st.integers()),
    st.binary(),
    st.datetimes(),
    st.decimals(),
    st.dictionaries(st.integers(), st.integers(), min_size=1),
    st.sampled_from([Action.BUY, object(), np.int64(1), np.bool_(True), ...]),
)


def documents(leaves):
    nested = st.recursive(
        leaves, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=10
    )
    return st.dictionaries(text, nested)


class Side(StrEnum):
    BUY = "buy"


class Level(IntEnum):
    ONE = 1


class Colour(Enum):
    RED = "red"


STEP = r"""\.[^][.:'" ]+|\[\d+\]|\['(?:[^'\\]|\\.)*'\]|\["(?:[^"\\]|\\.)*"\]"""
Point = namedtuple("Point", "x")


@dataclasses.dataclass
class Position:
    quantity: int = 1


class Unshowable:
    def __repr__(self):
        raise RuntimeError("no repr")


def same(loaded, saved):
    """Tell whether two values are equal, down to int, float or bool and the sign of a zero."""
    if isinstance(saved, dict):
        return loaded.keys() == saved.keys() and all(same(loaded[key], saved[key]) for key in saved)
    if isinstance(saved, list):
        return len(loaded) == len(saved) and all(map(same, loaded, saved))
    return type(loaded) is type(saved) and repr(loaded) == repr(saved)


def value_at(path, document):
    """Return what lies at a path like `.positions[3]['a b']`."""
    for step in re.findall(STEP, path):
        document = document[step[1:] if step[0] == "." else ast.literal_eval(step[1:-1])]
    return document


def is_lossy(value):
    """Tell whether JSON would change a value itself, whatever is in it."""
    if isinstance(value, dict):
        return not all(isinstance(key, str) for key in value)
    if isinstance(value, str):
        return any(0xD800 <= ord(char) <= 0xDFFF for char in value)
    if type(value) is float:
        return not math.isfinite(value)
    return not isinstance(value, bool | int | list | None)


@given(document=documents(exact))
def test_s1_every_document_of_json_values_loads_equal(document):
    assert same(decode_document(encode_document(document, "state")), document)


@given(document=documents(exact | lossy))
def test_s1_any_document_loads_equal_or_is_refused_with_a_path_to_the_offender(document):
    try:
        encoded = encode_document(document, "state")
    except NotSerializable as error:
        path = re.match(rf"state: \$((?:{STEP})*): ", str(error))[1]
        assert is_lossy(value_at(path, document))
    else:
        assert decode_document(encoded) == document


@pytest.mark.parametrize(
    "value",
    [
        (1,),
        Point(1),
        {1},
        frozenset(),
        b"x",
        datetime(2026, 1, 5),
        Decimal("1.5"),
        Colour.RED,
        Position(),
        object(),
        float("nan"),
        float("inf"),
        np.float64("nan"),
        np.float32(0.1),
        np.int64(1),
        np.bool_(True),
        np.array([1]),
        pd.NA,
        pd.Series([1]),
        "\ud800",
        pytest.param(10**5000, id="too long"),
        pytest.param({10**5000}, id="no repr"),
        Unshowable(),
    ],
)
def test_s1_what_json_would_change_is_refused_with_its_path(value):
    with pytest.raises(NotSerializable, match=r"^state: \$\.positions\[1\]\['a b'\]: "):
        encode_document({"positions": [0, {"a b": value}]}, "state")


@pytest.mark.parametrize("key", [1, None, 1.5, True, (1,), b"x", "\ud800"])
def test_s1_a_key_that_is_no_text_is_refused_with_the_path_of_its_dict(key):
    with pytest.raises(NotSerializable, match=rf"^state: \$\.a: {re.escape(repr(key))}: "):
        encode_document({"a": {key: 1}}, "state")


@pytest.mark.parametrize("document", [None, [], "{}", 5, Position()])
def test_s1_a_document_is_a_dict(document):
    with pytest.raises(NotSerializable, match=r"^state: \$: expected a dict, got "):
        encode_document(document, "state")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float64(1.5), 1.5),
        (np.str_("x"), "x"),
        (Side.BUY, "buy"),
        (Level.ONE, 1),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (defaultdict(list, {"a": [np.float64(1)]}), {"a": [1.0]}),
        ({Side.BUY: 1, "b": np.float64(2)}, {"buy": 1, "b": 2.0}),
    ],
)
def test_s1_a_subclass_of_a_json_type_is_kept_as_the_plain_one(value, plain):
    assert same(decode_document(encode_document({"v": value}, "state")), {"v": plain})


def test_s1_a_value_that_holds_itself_is_refused():
    loop = {}
    loop["me"] = loop
    with pytest.raises(NotSerializable, match=r"^state: \$: nested more than 100 deep"):
        encode_document(loop, "state")


def test_s1_a_document_nested_too_deeply_is_refused():
    deep = {}
    for _ in range(100_000):
        deep = {"in": deep}
    with pytest.raises(NotSerializable, match=r"^state: \$: nested more than 100 deep"):
        encode_document(deep, "state")


def test_what_is_loaded_is_the_callers_own():
    encoded = encode_document({"a": [1]}, "state")
    decode_document(encoded)["a"].append(2)
    assert decode_document(encoded) == {"a": [1]}


def test_a_record_of_plain_values_is_itself(order):
    assert checked(order(), Order, "order") == order()


@pytest.mark.parametrize(
    ("given_as", "kept"), [(np.int64(3), 3), (np.float64(1.5), 1.5), (np.float32(0.5), 0.5)]
)
def test_a_record_takes_numpy_scalars_as_the_values_that_they_equal(order, given_as, kept):
    quantity = checked(order(quantity=given_as), Order, "order").quantity
    assert (quantity, type(quantity)) == (kept, type(kept))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"symbol": None}, r"^decision\.symbol=None: expected a str, got NoneType$"),
        ({"confidence": np.array([0.5])}, r"^decision\.confidence=array.*got ndarray$"),
        ({"confidence": object()}, r"^decision\.confidence=<object.*got object$"),
    ],
)
def test_a_field_that_is_not_of_its_type_is_refused(decision, fields, message):
    with pytest.raises(InvalidData, match=message):
        checked(decision(**fields), Decision, "decision")


def test_a_field_that_holds_itself_is_refused(decision):
    loop = []
    loop.append(loop)
    with pytest.raises(InvalidData, match=r"^decision\.reasoning=.*expected a str, got list"):
        checked(decision(reasoning=loop), Decision, "decision")


def test_what_a_subclass_adds_is_refused_not_dropped(decision):
    class Scored(Decision):
        score: float = 0.0

    scored = Scored("AAPL", Action.BUY, 0.5, 0.9, "cheap", score=0.25)
    with pytest.raises(InvalidData, match=r"^decision\.score=0\.25: Decision has no such field"):
        checked(scored, Decision, "decision")


def test_another_kind_of_record_is_refused(decision):
    with pytest.raises(InvalidData, match=r"^order: expected Order, got Decision"):
        checked(decision(), Order, "order")


def nested(depth):
    value = {}
    for _ in range(depth - 1):
        value = {"in": value, "other": [1]}
    return value


def test_s1_a_document_is_kept_as_deep_as_the_limit_and_no_deeper():
    assert decode_document(encode_document(nested(100), "state")) == nested(100)
    with pytest.raises(NotSerializable, match="more than 100 deep"):
        encode_document(nested(101), "state")


def test_s1_many_shallow_containers_are_no_depth():
    wide = {"rows": [[1]] * 1000}
    assert decode_document(encode_document(wide, "state")) == wide


def test_s1_a_value_that_holds_itself_many_times_is_refused_at_once():
    web = {}
    web.update(a=web, b=web, c=[web])
    with pytest.raises(NotSerializable, match="contains itself"):
        encode_document(web, "state")


def test_a_record_of_a_subclass_without_fields_of_its_own_is_kept_as_what_it_is_one_of():
    class OwnDecision(Decision, frozen=True):
        pass

    own = OwnDecision("AAPL", Action.BUY, 0.5, 0.9, "cheap")
    assert checked(own, Decision, "decision") == Decision("AAPL", Action.BUY, 0.5, 0.9, "cheap")
    assert checked_all([own], Decision, "decisions[{}]") == [checked(own, Decision, "decision")]


def test_a_batch_takes_what_a_record_alone_does(order):
    batch = [order(), order(quantity=Decimal("0.1"))]
    assert checked_all(batch, Order, "orders[{}]") == [order(), order(quantity=0.1)]


@pytest.mark.parametrize("price", [float("nan"), "9.5"])
def test_a_batch_names_the_row_of_what_it_refuses(order, price):
    batch = [order(), order(limit_price=price)]
    with pytest.raises(InvalidData, match=r"^orders\[1\]\.limit_price="):
        checked_all(batch, Order, "orders[{}]")
