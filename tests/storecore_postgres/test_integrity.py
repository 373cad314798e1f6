"""`verify()`: invalid rows are findings, anomalies are notes, and nothing is changed."""

from __future__ import annotations

import pickle
from datetime import datetime

import psycopg
import pytest

from storecore import StorageError, StoreClosed
from storecore_postgres import bars, integrity
from storecore_postgres.errors import unreachable


@pytest.fixture
def filled(store, bar, event, fundamental, decision, sent):
    store.write_bars("AAPL", [bar(), bar(date=datetime(2026, 1, 6))])
    store.write_event(event())
    store.write_fundamental("AAPL", fundamental())
    store.save_strategy_state("value", {"cash": 1})
    store.log_decision("value", decision())
    store.log_order("value", *sent())
    return store


def test_every_row_of_a_sound_store_is_checked(filled):
    report = filled.verify()
    assert (report.ok, report.checked, report.notes) == (True, 7, ())


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("close", "NaN"),
        ("open", "Infinity"),
        ("volume", "-1"),
        ("volume", "NaN"),
        ("low", "-Infinity"),
    ],
)
def test_numbers_that_no_store_would_have_written_are_found(filled, admin, schema, column, value):
    admin.execute(f"UPDATE {schema}.bars SET {column} = '{value}' WHERE date > '2026-01-05 12:00'")
    (finding,) = filled.verify().findings
    assert (finding.kind, finding.place) == ("damaged", "AAPL (1d)")
    assert finding.detail.startswith(f"1 bars with an invalid {column}, the first at 2026-01-06")


def test_a_long_series_is_checked_some_bars_at_a_time(store, bar, admin, schema, monkeypatch):
    monkeypatch.setattr(bars, "_STREAMED_ROWS", 2)
    store.write_bars("AAPL", [bar(date=datetime(2026, 1, day), high=0.5) for day in range(1, 8)])
    admin.execute(f"UPDATE {schema}.bars SET close = 'NaN' WHERE date > '2026-01-04 12:00'")
    report = store.verify()
    assert report.checked == 7
    (finding,) = report.findings
    assert finding.detail.startswith("3 bars with an invalid close, the first at 2026-01-05")
    details = {each.kind: each.detail for each in report.notes}
    assert details["high below low"].startswith("7 bars, the first of 2026-01-01")


def test_what_is_odd_is_a_note(store, bar):
    store.write_bars("AAPL", [bar(high=1.0, low=2.0)])
    report = store.verify()
    assert report.ok
    assert [each.place for each in report.notes] == ["AAPL (1d)"]


def test_a_repair_tells_the_same_and_changes_nothing(filled, admin, schema):
    admin.execute(f"UPDATE {schema}.events SET document = '{{}}'")
    assert filled.repair() == filled.repair(dry_run=True) == filled.verify()
    assert not filled.verify().ok


def test_compacting_tells_what_was_done(filled):
    report = filled.compact()
    assert report.ok
    assert report.actions == ("vacuumed and analyzed all tables",)


def test_d5_a_document_that_cannot_be_decoded_is_one_finding_and_all_else_is_checked(
    filled, admin, schema, fundamental
):
    filled.write_fundamental("MSFT", fundamental(symbol="MSFT"))
    filled.save_strategy_state("other", {"cash": 1})
    deep = "[" * 12_000 + "]" * 12_000
    admin.execute(f"UPDATE {schema}.events SET document = '{{}}'")
    admin.execute(f"UPDATE {schema}.states SET document = %s WHERE strategy = 'value'", [deep])
    admin.execute(f"UPDATE {schema}.fundamentals SET document = %s WHERE symbol = 'AAPL'", [deep])
    report = filled.verify()
    assert [each.kind for each in report.findings] == ["unchecked", "damaged", "unchecked"]
    assert "nested too deep" in report.findings[0].detail
    assert report.checked == 9
    with pytest.raises(StorageError, match="nested too deep"):
        filled.load_strategy_state("value")


def test_d5_a_table_that_may_not_be_read_is_unchecked_and_the_rest_is_checked(
    filled, admin, schema, opened
):
    admin.execute(f"ALTER TABLE {schema}.events RENAME TO elsewhere")
    admin.execute(f"ALTER TABLE {schema}.orders RENAME TO orders_elsewhere")
    admin.execute(f"UPDATE {schema}.bars SET close = 'NaN' WHERE date < '2026-01-05 12:00'")
    report = filled.verify()
    found = [(each.kind, each.place) for each in report.findings]
    clock = [("unchecked", "recording_clock")] if filled._recording else []
    assert found == [
        ("unchecked", "events"),
        ("damaged", "AAPL (1d)"),
        *clock,
        ("unchecked", "orders"),
    ]
    assert report.checked == 5


def test_d5_a_series_that_cannot_be_looked_at_stops_no_other(filled, bar, monkeypatch):
    filled.write_bars("MSFT", [bar(symbol="MSFT", high=1.0, low=2.0)])
    real = integrity.anomalies

    def failing(tables, timeframe):
        if not failed:
            failed.append(True)
            raise MemoryError
        return real(tables, timeframe)

    failed = []
    monkeypatch.setattr(integrity, "anomalies", failing)
    report = filled.verify()
    assert [(each.kind, each.place) for each in report.findings] == [("unchecked", "AAPL (1d)")]
    assert [each.place for each in report.notes] == ["MSFT (1d)"]


def test_a_server_that_is_away_is_no_finding(filled, monkeypatch):
    def away(*_):
        raise unreachable(psycopg.OperationalError("connection refused"))

    monkeypatch.setattr(filled._database, "rows", away)
    with pytest.raises(StorageError, match="cannot be reached") as caught:
        filled.verify()
    assert type(pickle.loads(pickle.dumps(caught.value))) is StorageError


def test_a_store_that_is_closed_meanwhile_is_no_finding(filled):
    filled.close()
    with pytest.raises(StoreClosed):
        filled.verify()
    with pytest.raises(StoreClosed), integrity.unchecked([], "bars"):
        raise StoreClosed
