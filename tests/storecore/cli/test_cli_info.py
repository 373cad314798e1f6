"""`storecore info` tells what a store holds, as far as its backend can."""

from __future__ import annotations

import json
from datetime import date, datetime

import pytest
from msgspec.structs import replace

from storecore import Action, CorruptData, Decision, Order, OrderResult, PriceBar, StorageError
from storecore.cli.info import series_of
from storecore_file import FileDataStore

ALL = date.min, date.max


@pytest.fixture
def a_log(opened):
    """Log a decision and an order of the strategy `value`."""
    with opened() as store:
        store.log_decision("value", Decision("AAPL", Action.BUY, 0.5, 0.9, "cheap"))
        order = Order("value", "AAPL", "BUY", 10, "MARKET")
        store.log_order("value", order, OrderResult("1", "filled", 100.0, 10))


def row_of(name, result):
    return next(line for line in result.stdout.splitlines() if line.split()[:1] == [name]).split()


def test_a_series_is_listed_with_its_first_and_last_date_and_its_bars(cli, at, ten_bars):
    row = row_of("AAPL", cli("info", *at))
    assert row[:5] == ["AAPL", "1d", "2026-01-01", "2026-01-10", "10"]


def test_a_series_is_listed_with_its_files_and_bytes(cli, at, base_path, ten_bars):
    (part,) = (base_path / "prices").rglob("*.parquet")
    files, size = row_of("AAPL", cli("info", *at))[5:7]
    assert (files, float(size)) == ("1", round(part.stat().st_size / 1000, 1))


def test_every_timeframe_of_a_symbol_is_a_series(cli, at, opened, ten_bars):
    with opened() as store:
        bar = PriceBar("AAPL", datetime(2026, 1, 5, 14, 30), 1, 1, 1, 1, 1)
        store.write_bars("AAPL", [bar], timeframe="1m")
    assert "bars: 11 in 2 series, 2 files" in cli("info", *at).stdout


def test_a_backend_without_files_has_a_dash_for_them(cli, backend_with):
    assert row_of("AAPL", cli("info", *backend_with("Catalog")))[5:] == ["–", "–"]


def test_an_empty_store_is_reported_as_empty(cli, at, opened):
    opened().close()
    assert "bars: 0 in 0 series" in cli("info", *at).stdout


def test_a_strategy_is_listed_with_its_state_and_its_counts(cli, at, opened, a_log):
    with opened() as store:
        store.save_strategy_state("value", {"cash": 1})
    assert row_of("value", cli("info", *at)) == ["value", "saved", "1", "1"]


def test_a_strategy_that_only_logged_is_listed_without_a_state(cli, at, a_log):
    assert row_of("value", cli("info", *at)) == ["value", "–", "1", "1"]


def test_a_whole_audit_log_is_told_so(cli, at, a_log):
    printed = cli("info", "--verify", *at).stdout
    assert "audit log: 1 decision, 1 order\naudit log: its chains are whole\n" in printed


def test_the_chains_are_followed_only_if_asked_for(cli, at, a_log, monkeypatch):
    monkeypatch.setattr(FileDataStore, "verify_audit", None)
    assert "audit log: 1 decision, 1 order\n" in cli("info", *at).stdout


def test_the_records_of_runs_are_counted_apart_from_the_live_log(cli, at, opened, a_log, decision):
    with opened() as store:
        for number in range(6):
            store.log_decisions("other", [decision()] * 2, run=f"bt-{number}")
    printed = cli("info", *at).stdout
    assert "audit log: 1 decision, 1 order\n" in printed
    assert "apart from it: 12 records of 6 runs: bt-0, bt-1, bt-2, bt-3, bt-4, …\n" in printed
    assert "other" not in printed


def test_a_broken_audit_log_is_reported_with_its_place(cli, at, base_path, a_log):
    (log,) = (base_path / "audit" / "orders").glob("*.jsonl")
    log.unlink()
    printed = cli("info", "--verify", *at).stdout
    assert f"BROKEN; truncated at {log}" in printed


def test_a_backend_that_cannot_list_is_an_error_that_says_so(cli, backend_with):
    told = cli("info", *backend_with()).stderr
    assert told.startswith("Error: the backend 'partial' cannot list what it holds")


def test_a_backend_that_cannot_read_its_log_says_so(cli, backend_with):
    printed = cli("info", *backend_with("Catalog")).stdout
    assert "audit log: not read" in printed


def test_options_of_a_store_are_not_printed(cli, at, base_path):
    assert str(base_path) not in cli("info", *at).stdout


def test_what_cannot_be_read_is_reported_and_all_else_is_listed(
    cli, at, base_path, opened, ten_bars
):
    with opened() as store:
        for symbol in ("BAD", "WORSE"):
            store.write_bars(symbol, [replace(store.read_bars("AAPL", *ALL)[0], symbol=symbol)])
    next(base_path.glob("prices/BAD/*.parquet")).write_bytes(b"x")
    result = cli("info", *at)
    assert result.exit_code == 1
    assert "AAPL" in result.output
    assert "WORSE" in result.output
    assert "could not be read: " in result.output
    assert "not a whole file of bars" in " ".join(result.output.split())


def test_a_log_that_cannot_be_read_is_reported_and_the_series_are_listed(
    cli, at, base_path, ten_bars, a_log
):
    for log in base_path.glob("audit/*/*.jsonl"):
        log.unlink()
        log.mkdir()
    result = cli("info", *at)
    assert result.exit_code == 1
    assert "AAPL" in result.output
    assert "audit log: not read" in result.output
    assert "expected a file, found a folder" in " ".join(result.output.split())


def test_a_list_that_must_be_complete_ends_with_the_error(base_path, opened, ten_bars):
    next(base_path.glob("prices/AAPL/*.parquet")).write_bytes(b"x")
    with opened() as store, pytest.raises(CorruptData):
        list(series_of(store))


def test_a_series_whose_files_cannot_be_measured_is_reported(cli, at, ten_bars, monkeypatch):
    def fail(self, symbol, *, timeframe="1d"):
        raise StorageError(f"{symbol}: the disk is gone")

    monkeypatch.setattr(FileDataStore, "bar_footprint", fail)
    result = cli("info", *at)
    assert result.exit_code == 1
    assert "AAPL: the disk is gone" in " ".join(result.output.split())


def test_fundamentals_and_events_are_counted(cli, at, opened, event, fundamental):
    with opened() as store:
        store.write_events([event(), event()])
        store.write_fundamental("AAPL", fundamental())
    assert "fundamentals: 1\nevents: 2\n" in cli("info", *at).stdout


def test_a_backend_without_streams_does_not_count_them(cli, backend_with):
    printed = cli("info", *backend_with("Catalog", "AuditTrail")).stdout
    assert "fundamentals: not counted\nevents: not counted\n" in printed
    assert "audit log: 0 decisions, 0 orders" in printed


def test_of_very_many_series_the_first_are_shown(cli, at, opened, monkeypatch, ten_bars):
    monkeypatch.setattr("storecore.cli.info._MOST", 1)
    with opened() as store:
        store.write_bars("MSFT", [PriceBar("MSFT", datetime(2026, 1, 5), 1, 1, 1, 1, 1)])
    printed = cli("info", *at).stdout
    assert "and 1 more series: storecore ls lists them\n" in printed
    assert "MSFT" not in printed
    assert "bars: 11 in 2 series" in printed


def test_as_json_it_is_one_object(cli, at, opened, a_log, ten_bars):
    with opened() as store:
        store.log_decision('a "b"', Decision("AAPL", Action.BUY, 0.5, 0.9, "x"), run="bt")
    found = json.loads(cli("info", "--json", *at).stdout)
    (series,) = found["series"]
    assert (series["symbol"], series["count"], series["files"]) == ("AAPL", 10, 1)
    assert found["audit"] == {"decisions": {"value": 1}, "orders": {"value": 1}, "runs": {"bt": 1}}
    assert (found["events"], found["problems"], found["chains"]) == (0, [], None)


def test_as_json_a_backend_without_files_and_log_has_nulls(cli, backend_with):
    found = json.loads(cli("info", "--json", *backend_with("Catalog")).stdout)
    assert "files" not in found["series"][0]
    assert (found["audit"], found["history"]) == (None, None)


def test_a_backend_with_streams_alone_counts_its_log_too(cli, backend_with):
    printed = cli("info", *backend_with("Catalog", "AuditTrail", "Transfer")).stdout
    assert "audit log: 0 decisions, 0 orders" in printed


def test_the_records_of_the_log_are_not_decoded(cli, at, a_log, monkeypatch):
    monkeypatch.setattr(FileDataStore, "iter_audit", None)
    monkeypatch.setattr(FileDataStore, "read_decisions", None)
    assert "audit log: 1 decision, 1 order\n" in cli("info", *at).stdout
