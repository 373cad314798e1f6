"""All backends beside each other: one schema for one question, and copies from each to each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from msgspec.structs import replace

from storecore import Action, PriceBar, copy_store, open_store
from storecore.testing.records import decision, event, fundamental, sent

MONDAY = datetime(2026, 1, 5)
LARGE = 2**53 + 1  # which no float64 equals
VOLUMES = [LARGE, 5, 0.5, None, 0, 2**53]


def bar(symbol, number, volume):
    return PriceBar(symbol, MONDAY + number * timedelta(days=9), 1.0, 1.0, 1.0, 1.0, volume)


@pytest.fixture
def stores(tmp_path, place_in_postgres):
    """A store of each backend."""
    opened = [
        open_store("memory"),
        open_store("file", base_path=tmp_path),
        open_store("postgres", **place_in_postgres),
    ]
    yield opened
    for store in opened:
        store.close()


def test_the_type_of_volumes_is_that_of_the_rows_of_the_answer(stores):
    """Other bars of the series, its partitions and its symbol may need int64; the answer counts."""
    for store in stores:
        store.write_bars("A", [bar("A", number, each) for number, each in enumerate([5, LARGE, 7])])
        whole = store.read_bar_table("A").schema.field("volume").type
        first = store.read_bar_table("A", MONDAY, MONDAY).schema.field("volume").type
        newest = store.read_bar_table("A", last=1).schema.field("volume").type
        assert (whole, first, newest) == (pa.int64(), pa.float64(), pa.float64())


def test_the_same_questions_have_the_same_tables_in_all_backends(stores):
    for seed in range(6):
        random = Random(seed)
        timeframe = f"{seed + 1}d"
        for symbol in ("A", "B"):
            volumes = [random.choice(VOLUMES) for _ in range(6)]
            bars = [bar(symbol, number, each) for number, each in enumerate(volumes)]
            for store in stores:
                for cut in (bars[:4], bars[2:]):  # other files, other statements
                    store.write_bars(symbol, cut, timeframe=timeframe)
        for _ in range(4):
            first, end = sorted(MONDAY + random.randrange(50) * timedelta(days=1) for _ in "ab")
            asked = {"timeframe": timeframe, "last": random.choice([None, 1, 2])}
            symbols = random.choice([["A"], ["B"], ["A", "B"]])
            memory, *others = (
                each.read_bar_table(symbols, first, end, **asked).replace_schema_metadata()
                for each in stores
            )
            for other in others:
                assert other.equals(memory, check_metadata=False), (seed, first, end, asked)
                assert other.schema == memory.schema, (seed, first, end, asked)


def test_a_copy_has_equal_digests_both_ways(stores):
    memory, *_ = stores
    memory.write_bars("A", [bar("A", number, each) for number, each in enumerate(VOLUMES)])
    for source, target in pairwise(stores):
        assert copy_store(source, target).ok
    assert copy_store(stores[-1], memory).ok


# Copies of all kinds of data, between each two backends.

ZONES = [None, UTC, ZoneInfo("America/New_York"), timezone(timedelta(hours=5, minutes=30))]


def fill(store):
    """Write all that an issue has added: further columns, null volumes, extra, zones, sales."""
    extra = {"vwap": 1.5, "trades": 2**60, "late": True, "note": "ü"}
    seen = {"seen": datetime(2026, 1, 5, 12, tzinfo=UTC)}
    bars = [bar("A", number, each) for number, each in enumerate(VOLUMES)]
    store.write_bars("A", [*bars[:3], replace(bars[3], extra=extra), replace(bars[4], extra=seen)])
    store.write_bars("B", bars_of("B"), timeframe="1m")
    for number, zone in enumerate(ZONES):
        at = (MONDAY + number * timedelta(days=1)).replace(tzinfo=zone)
        store.write_fundamental(
            "A", fundamental(at, symbol="A", extra={"eps": 0.1, "ids": [2**63]})
        )
    store.write_events([event(symbol=None), event(), event(), event(payload={"ratio": "2:1"})])
    sold = decision(action=Action.SELL, target_weight=-1.5, extra={"why": ["x", None]})
    store.log_decisions("value", [sold, decision()])
    order, result = sent(extra={"route": "X"})
    results = [replace(result, order_id=each, extra={"fees": [0.5]}) for each in (7, "b-2")]
    store.log_orders("value", [(order, each) for each in results])
    for number in range(7):
        store.save_strategy_state("value", {"n": number})
    store.save_strategy_state("gone", {})
    store.delete_strategy_state("gone")
    store.save_strategy_state("gone", {"again": True})


def bars_of(symbol):
    volumes = [None, 0.5, None]
    return [bar(symbol, number, each) for number, each in enumerate(volumes)]


@pytest.mark.parametrize("source", range(3))
@pytest.mark.parametrize("target", range(3))
def test_all_that_was_added_is_copied_with_equal_digests_and_values(stores, source, target):
    if source == target:
        return
    given, taken = stores[source], stores[target]
    fill(given)
    report = copy_store(given, taken)
    assert report.ok, report
    assert all_of(taken) == all_of(given)
    assert taken.load_versioned_state("gone").version == 2
    again = copy_store(taken, given)
    assert (again.ok, sum(each.added for each in again.copied)) == (True, 0)


def all_of(store):
    zones = [str(each.timestamp.tzinfo) for each in store.fundamentals("A")]
    return [
        store.inventory(),
        store.read_bars("A"),
        store.read_bars("B", timeframe="1m"),
        store.fundamentals("A"),
        zones,
        store.read_events(),
        store.read_decisions(),
        store.read_orders(),
        [store.state_history(each) for each in store.strategies()],
    ]
