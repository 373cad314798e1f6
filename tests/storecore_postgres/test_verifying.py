"""A whole store looked over: what nobody wrote is found, what is odd is told; nothing changes."""

from __future__ import annotations

from datetime import datetime

import pytest


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
    assert finding.detail.startswith(f"1 bars with no sound {column}, the first of 2026-01-06")


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
