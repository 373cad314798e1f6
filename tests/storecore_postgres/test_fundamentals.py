"""Fundamentals: one for each (symbol, timestamp), read as of a time."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storecore import FundamentalData
from storecore.builtin.memory import MemoryDataStore
from storecore.errors import CorruptData
from storecore_postgres.fundamentals import Fundamentals
from storecore_postgres.rows import PAGE

DAY = datetime(2026, 1, 5)


@settings(max_examples=25)
@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(["A", "Ü", "a"]),
                st.integers(0, 3).map(lambda n: DAY + timedelta(n))
                | st.sampled_from([datetime.min, datetime.max]),
                st.integers(0, 99),
            ),
            max_size=5,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_f1_and_f2_batches_in_any_order_are_answered_as_memory_answers(admin, store, batches):
    admin.execute(f"TRUNCATE {store._quoted}.fundamentals")
    memory = MemoryDataStore()
    for batch in batches:
        rows = [
            FundamentalData(
                symbol=symbol, timestamp=at, company_name="x", cik="1", employees=n, raw_xml=""
            )
            for symbol, at, n in batch
        ]
        for each in (store, memory):
            each.write_fundamentals(rows)
    for symbol in ("A", "Ü", "a"):
        for as_of in (None, datetime.min, DAY + timedelta(1.5), datetime.max):
            found = store.read_fundamental(symbol, as_of)
            assert found == memory.read_fundamental(symbol, as_of)
    assert list(store.iter_fundamentals()) == list(memory.iter_fundamentals())


def test_all_are_told_page_after_page(store, fundamental, monkeypatch):
    monkeypatch.setattr(
        "storecore_postgres.fundamentals._AFTER",
        Fundamentals.__init__.__globals__["_AFTER"].replace(f"LIMIT {PAGE}", "LIMIT 2"),
    )
    rows = [fundamental(timestamp=DAY + timedelta(n), symbol=name) for name in "ab" for n in (0, 1)]
    rows += [fundamental(timestamp=DAY, symbol="c")]
    store.write_fundamentals(rows)
    assert list(Fundamentals(store._database, store._quoted, "none", store._version).all()) == rows


@pytest.mark.parametrize("megabytes", [5, pytest.param(50, marks=pytest.mark.soak)])
def test_a_document_may_be_large(store, fundamental, megabytes):
    large = fundamental(raw_xml='<x y="é"/>\n' * (megabytes * 90_000))
    store.write_fundamental("AAPL", large)
    assert store.read_fundamental("AAPL") == large


def test_an_empty_batch_writes_nothing(store):
    store.write_fundamentals([])
    assert list(store.iter_fundamentals()) == []


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ("document = '{}'", "not the fields of a fundamental"),
        ("symbol = 'B'", "its document has another symbol or timestamp"),
        ("timestamp = '2026-01-06 00:00:00+00'", "its document has another symbol or timestamp"),
    ],
)
def test_d5_a_document_that_is_not_what_was_written_is_corrupt(
    request, store, admin, schema, fundamental, change, wrong
):
    if "symbol" in change:
        request.getfixturevalue("no_cluster")
    store.write_fundamental("AAPL", fundamental())
    admin.execute(f"UPDATE {schema}.fundamentals SET {change}")
    symbol = "B" if "symbol" in change else "AAPL"
    with pytest.raises(CorruptData, match=f"fundamentals, symbol '{symbol}', 2026.*{wrong}"):
        store.read_fundamental(symbol)
    assert [each.kind for each in store.verify().findings] == ["damaged"]
