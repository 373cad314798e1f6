"""`storecore verify` and `storecore repair`: what is wrong is told or moved aside."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from types import ModuleType, SimpleNamespace

import click
import pandas as pd
import pytest

from storecore import PriceBar, Report
from storecore.cli.maintenance import _with_gaps


@pytest.fixture
def a_damaged_part(ten_bars, base_path):
    """Flip a bit of the only file of bars; return it."""
    (part,) = (base_path / "prices").rglob("*.parquet")
    content = bytearray(part.read_bytes())
    content[10] ^= 1
    part.write_bytes(content)
    return part


def test_a_whole_store_is_told_so(cli, at, ten_bars):
    result = cli("verify", *at)
    assert (result.exit_code, result.stdout) == (0, "3 files or rows checked: all is whole\n")


def test_damage_is_reported_with_its_file_and_status_1(cli, at, a_damaged_part):
    result = cli("verify", *at)
    assert result.exit_code == 1
    assert f"damaged   {a_damaged_part}" in result.stdout
    assert "checked: 1 finding" in result.stdout


def test_odd_bars_are_reported_and_are_no_error(cli, at, opened):
    with opened() as store:
        store.write_bars("AAPL", [PriceBar("AAPL", datetime(2026, 1, 5), 1, 1, 2, 1, 1)])
    result = cli("verify", *at)
    assert result.exit_code == 0
    assert "notes:" in result.stdout
    assert "high below low" in result.stdout


def test_a_dry_run_says_what_would_be_done_and_does_nothing(cli, at, a_damaged_part):
    result = cli("repair", "--dry-run", *at)
    assert result.exit_code == 1
    assert result.stdout.startswith("would move prices/AAPL/")
    assert a_damaged_part.exists()


def test_a_repair_quarantines_and_all_is_whole(cli, at, base_path, a_damaged_part, stored):
    result = cli("repair", *at)
    assert result.exit_code == 0
    assert result.stdout.startswith("moved prices/AAPL/")
    assert [path.name for path in (base_path / "aside").rglob("*.parquet")] == [a_damaged_part.name]
    assert stored() == []
    assert cli("verify", *at).exit_code == 0


def test_a_store_that_needs_no_repair_is_told_so(cli, at, ten_bars):
    result = cli("repair", *at)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "nothing to repair")


@pytest.mark.parametrize("command", ["verify", "repair"])
def test_a_backend_without_maintenance_is_an_error_that_says_so(cli, backend_with, command):
    result = cli(command, *backend_with("Catalog"))
    assert result.exit_code == 1
    assert "the backend 'partial' cannot do that: it lacks the capability" in result.stderr


@pytest.fixture
def calendars(monkeypatch):
    """Calendars of exchange_calendars: of all days, and of all but the 6th of January 2026."""

    def get_calendar(name, start, end):
        days = pd.date_range(start, end)
        days = days if name == "24/7" else days[days != "2026-01-06"]
        return SimpleNamespace(
            opens=pd.Series(days, days), closes=pd.Series(days + pd.Timedelta(hours=24), days)
        )

    library = ModuleType("exchange_calendars")
    library.get_calendar = get_calendar
    monkeypatch.setitem(sys.modules, "exchange_calendars", library)


def test_sessions_without_bars_are_reported_by_the_calendar_of_each_symbol(
    cli, at, opened, calendars
):
    with opened() as store:
        for symbol in ("AAPL", "BTC"):
            bars = [PriceBar(symbol, datetime(2026, 1, day), 1, 1, 1, 1, 1) for day in (5, 7)]
            store.write_bars(symbol, bars)
            store.write_bars(symbol, bars, timeframe="1w")
    result = cli("verify", "--calendar", "XNYS", "--calendar", "BTC=24/7", *at)
    assert result.exit_code == 0
    notes = [line.split() for line in result.stdout.splitlines() if "gap" in line]
    assert [each[:6] for each in notes] == [["gap", "BTC", "(1d)", "1", "of", "3"]]
    only = cli("verify", "--calendar", "AAPL=24/7", *at)
    notes = [line.split() for line in only.stdout.splitlines() if "gap" in line]
    assert [each[:6] for each in notes] == [["gap", "AAPL", "(1d)", "1", "of", "3"]]


def test_a_damaged_series_is_reported_once_beside_a_calendar(cli, at, a_damaged_part, calendars):
    result = cli("verify", "--calendar", "XNYS", *at)
    assert result.exit_code == 1
    assert "checked: 1 finding" in result.stdout


def test_a_calendar_needs_a_store_that_lists_its_series():
    with pytest.raises(click.ClickException, match="cannot list its series"):
        _with_gaps(Report(0), object(), ("XNYS",))


def test_as_json_a_report_is_an_object(cli, at, ten_bars):
    found = json.loads(cli("verify", "--json", *at).stdout)
    assert (found["ok"], found["checked"], found["findings"]) == (True, 3, [])
    repaired = json.loads(cli("repair", "--json", *at).stdout)
    assert (repaired["ok"], repaired["actions"]) == (True, [])


def test_as_json_damage_has_status_1_too(cli, at, a_damaged_part):
    result = cli("verify", "--json", *at)
    (finding,) = json.loads(result.stdout)["findings"]
    assert (result.exit_code, finding["place"]) == (1, str(a_damaged_part))
