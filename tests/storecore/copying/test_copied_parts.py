"""A part of a store is copied by kinds, symbols and time; a trial writes nothing."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from msgspec.structs import replace

from storecore import InvalidData, copy_store, open_store
from storecore_file import FileDataStore

JAN_5 = datetime(2026, 1, 5)
STORES = ("file", "memory")


@pytest.fixture
def source(tmp_path, bar, event, fundamental, decision):
    """A file store with two days of each kind for AAPL and MSFT, and an event of no symbol."""
    with open_store("file", base_path=tmp_path / "source", durability="os") as store:
        for symbol in ("AAPL", "MSFT"):
            for day in (JAN_5, JAN_5 + timedelta(days=1)):
                store.write_bars(symbol, [replace(bar(), symbol=symbol, date=day)])
                at = {"symbol": symbol, "timestamp": day}
                store.write_fundamental(symbol, replace(fundamental(), **at))
                store.write_event(replace(event(), **at))
        store.write_event(replace(event(), symbol=None, timestamp=JAN_5))
        store.save_strategy_state("value", {"cash": 1})
        store.save_strategy_state("value", {"cash": 2})
        store.log_decision("value", decision())
        yield store


@pytest.fixture(params=STORES)
def target(request, tmp_path):
    options = {"base_path": tmp_path / "target", "durability": "os"}
    with open_store(request.param, **(options if request.param == "file" else {})) as store:
        yield store


def counts(report):
    """Return kind, key, both counts and the number of written records of each item."""
    return [
        (each.kind, each.key, each.source.count, each.target.count, each.added)
        for each in report.copied
    ]


def content(folder):
    """Return the bytes of each file of a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_only_the_named_kinds_are_copied(source, target):
    report = copy_store(source, target, only=["states", "bars"])
    assert report.ok
    assert counts(report) == [
        ("bars", "AAPL", 2, 2, 2),
        ("bars", "MSFT", 2, 2, 2),
        ("state", "value", 2, 2, 1),
    ]
    assert (target.read_events(), target.fundamental_symbols()) == ([], [])


def test_the_audit_log_alone_is_copied_whole(source, target):
    report = copy_store(source, target, only=["audit"])
    assert counts(report) == [("decisions", "", 1, 1, 1)]
    assert report.notes == ()
    assert target.verify_audit().heads == source.verify_audit().heads


def test_symbols_are_names_or_patterns_and_events_without_one_are_none_of_theirs(source, target):
    report = copy_store(source, target, symbols=["A*"])
    assert counts(report) == [
        ("bars", "AAPL", 2, 2, 2),
        ("fundamentals", "AAPL", 2, 2, 2),
        ("events", "", 2, 2, 2),
    ]
    assert {each.symbol for each in target.read_events()} == {"AAPL"}


def test_a_symbol_that_looks_like_a_pattern_is_a_name(source, target, bar):
    source.write_bars("A*", [replace(bar(), symbol="A*")])
    assert counts(copy_store(source, target, only=["bars"], symbols=["A*"]))[0][1] == "A*"


def test_since_is_the_first_time_that_is_copied_of_each_kind(source, target):
    report = copy_store(source, target, since="2026-01-06", symbols=["MSFT"])
    assert counts(report) == [
        ("bars", "MSFT", 1, 1, 1),
        ("fundamentals", "MSFT", 1, 1, 1),
        ("events", "", 1, 1, 1),
    ]
    assert target.read_bars("MSFT")[0].date == datetime(2026, 1, 6)


def test_series_that_end_before_that_time_are_not_reported(source, target):
    assert counts(copy_store(source, target, since=date(2027, 1, 1))) == []


def test_what_the_target_holds_outside_of_the_part_is_no_difference(source, target, bar):
    target.write_bars("ZZZ", [replace(bar(), symbol="ZZZ")])
    target.write_bars("AAPL", [replace(bar(), date=datetime(2020, 1, 1))])
    assert copy_store(source, target, since=JAN_5, symbols=["AAPL", "MSFT"]).ok
    assert not copy_store(source, target, only=["bars"]).ok


def test_the_rest_can_be_copied_later(source, target):
    copy_store(source, target, only=["bars"], symbols=["AAPL"])
    report = copy_store(source, target)
    assert report.ok
    assert sum(each.added for each in report.copied if each.kind == "bars") == 2


def test_a_part_has_the_present_alone_and_says_so(source, target, bar):
    source.write_bars("AAPL", [replace(bar(), date=JAN_5, close=bar().close + 0.25)])
    report = copy_store(source, target, only=["bars"])
    assert (len(report.notes), report.why_no_history) == (1, "")
    assert len(target.bar_versions("AAPL", JAN_5, JAN_5)) == 1


def test_a_part_says_that_states_and_the_log_are_left_out_unless_kinds_are_named(source, target):
    left_out = "states and the audit log are left out: they are copied whole or not at all"
    assert left_out in copy_store(source, target, since=JAN_5).notes
    assert left_out not in copy_store(source, target, since=JAN_5, only=["bars"]).notes


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"only": ["audit"], "symbols": ["A*"]}, "the audit log is a chain and is copied whole"),
        ({"only": ["bars", "states"], "since": "2026-01-05"}, "a state has no symbol"),
        ({"only": ["evnts"]}, "no kind of data 'evnts' .did you mean 'events'.*; there are bars"),
        ({"only": [7]}, "no kind of data 7; there are bars"),
        ({"only": "bars"}, "only='bars': expected a list"),
        ({"symbols": "AAPL"}, "symbols='AAPL': expected a list"),
        ({"symbols": []}, r"symbols=\[\]: expected a list"),
    ],
)
def test_a_part_that_cannot_be_copied_is_refused_before_anything_is_written(
    source, target, asked, reason
):
    with pytest.raises(InvalidData, match=reason):
        copy_store(source, target, **asked)
    assert target.symbols() == []


@pytest.mark.parametrize("history", [True, False])
def test_a_trial_counts_what_a_copy_would_write_and_writes_nothing(
    source, target, tmp_path, history
):
    before = content(tmp_path)
    planned = copy_store(source, target, history=history, dry_run=True)
    assert content(tmp_path) == before
    done = copy_store(source, target, history=history)
    assert [each.added for each in planned.copied] == [each.added for each in done.copied]
    again = copy_store(source, target, history=history, dry_run=True)
    assert (again.ok, sum(each.added for each in again.copied)) == (True, 0)


def test_a_trial_says_why_the_history_would_not_be_copied(source, target, bar):
    target.write_bars("AAPL", [replace(bar(), close=bar().close + 0.25)])
    assert copy_store(source, target, dry_run=True).why_no_history


def test_a_trial_makes_no_object_of_bars_that_were_never_replaced(source, tmp_path, monkeypatch):
    monkeypatch.setattr(FileDataStore, "bar_versions", None)
    with open_store("file", base_path=tmp_path / "target") as target:
        planned = copy_store(source, target, dry_run=True)
    assert sum(each.added for each in planned.copied if each.kind == "bars") == 4
