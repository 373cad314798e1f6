"""One question has one schema in all backends, whatever other volumes a series has."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

import pyarrow as pa
import pytest

from storecore import PriceBar, copy_store, open_store

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
