"""What the laws are tried with: records to write, names and values to meet, and how to refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storecore.bars.extra_values import FIELDS
from storecore.errors import shown
from storecore.models import (
    Action,
    Decision,
    Event,
    FundamentalData,
    Order,
    OrderResult,
    PriceBar,
)

NOON = datetime(2026, 1, 5, 12)
NOON_UTC = NOON.replace(tzinfo=UTC)
TICK = timedelta(microseconds=1)
EVER = (datetime.min, datetime.max)
EVER_UTC = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))

HOSTILE = (
    *("BRK/B", "BTC:USDT", "CON", "con", "nul.txt", "aapl", "AAPL", "AaPl", "../../x", "..", "."),
    *("/etc/passwd", "C:\\temp", "Ünïcødé", "U\u0308nïcødé", "ﬁ", "fi", "ß", "SS", "ss"),
    *("\u212a", "k", "K"),  # the Kelvin sign lower-cases to k
    *("x" * 300, "X" * 300, "x" * 299 + "y", "日" * 300),
    *("a b", " a", "a ", "a.", "a\nb", "+A", "%41", "A", "-rf", "~", "*", "1m", "_", "😀"),
    *("2026-01.parquet", ".lock", "'; DROP TABLE bars; --", "a%", "a_", "NULL", "None", "0"),
)
NO_NAMES: tuple[Any, ...] = ("", "\0", "A\0", "\ud800", "x\udfff", None, 7, b"AAPL")

text = st.text(st.characters(exclude_categories=["Cs"]))
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
prices = st.floats(allow_nan=False, allow_infinity=False)
volumes = st.integers(0, 2**63 - 1) | st.floats(0, allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | prices | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
)


def for_all(**inputs: st.SearchStrategy[Any]) -> Callable[[Callable[..., Any]], Any]:
    """Run a test for all inputs; a slow machine or a store that lives on is no failure."""
    relaxed = settings(
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
            HealthCheck.too_slow,
        ],
    )
    return lambda test: relaxed(given(**inputs)(test))


@contextmanager
def refused(kind: type[Exception], *mentioned: str, value: Any = None) -> Iterator[None]:
    """Expect that what is done inside is refused, and that the error mentions these words."""
    said = None
    try:
        yield
    except kind as error:
        said = str(error)
    assert said is not None, f"{shown(value)} is taken; expected {kind.__name__}"
    missing = [word for word in mentioned if word not in said]
    assert not missing, f"{shown(value)} is refused, but the error does not say {missing}: {said}"


def bar(at: date = NOON, close: Any = 100.0, **fields: Any) -> PriceBar:
    """Return a bar of AAPL; any field can be given."""
    plain = {"symbol": "AAPL", "open": 99.0, "high": 101.0, "low": 98.0, "volume": 1000}
    return PriceBar(**{**plain, "date": at, "close": close, **fields})


def bar_table(bars: Iterable[PriceBar], volumes: str = "float64") -> Any:
    """Return bars as an Arrow table of naive dates, their volumes of an Arrow type.

    It has the seven columns of every bar, without further ones.
    """
    import pyarrow as pa  # here alone: a suite without tables does without it

    kinds = {"symbol": "string", "date": "timestamp[us]", "volume": volumes}
    rows, names = list(bars), FIELDS
    return pa.table(
        {
            name: pa.array(
                [getattr(each, name) for each in rows],
                pa.type_for_alias(kinds.get(name, "float64")),
            )
            for name in names
        }
    )


def fundamental(at: date = NOON, **fields: Any) -> FundamentalData:
    """Return a fundamental of AAPL; any field can be given."""
    plain = {"symbol": "AAPL", "company_name": "Apple", "cik": "320193", "raw_xml": "<x/>"}
    return FundamentalData(**{**plain, "timestamp": at, **fields})


def event(at: date = NOON, **fields: Any) -> Event:
    """Return an event; any field can be given."""
    plain = {"type": "news", "symbol": "AAPL", "source": "feed", "payload": {"text": "up"}}
    return Event(**{**plain, "timestamp": at, "ingested_at": at, **fields})


def decision(**fields: Any) -> Decision:
    """Return a decision; any field can be given."""
    plain = {"symbol": "AAPL", "action": Action.BUY, "target_weight": 0.5, "confidence": 0.9}
    return Decision(**{**plain, "reasoning": "cheap", **fields})


def sent(**fields: Any) -> tuple[Order, OrderResult]:
    """Return an order and its result; any field of the order can be given."""
    plain = {"strategy_name": "value", "symbol": "AAPL", "action": "BUY", "quantity": 10}
    return Order(**{**plain, "order_type": "MARKET", **fields}), OrderResult("1", "filled")
